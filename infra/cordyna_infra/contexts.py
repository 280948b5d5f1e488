"""The context values of this application, checked together before a stack is made.

Invariant: every `cordyna:` value that the app reads is in CHECKS, and a name that is not there is
refused: a misspelt one would otherwise deploy the default.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from difflib import get_close_matches
from typing import Any, Final

from constructs import Construct

from cordyna_cdk.guarded_function import ARCHITECTURES
from cordyna_cdk.permissions import allowed_detail_types
from cordyna_infra.bus import logged_events
from cordyna_infra.capacity import capacities
from cordyna_infra.console_stack import HostedSignIn
from cordyna_infra.rollout import shift_config
from cordyna_infra.stage import STAGES
from cordyna_infra.timers import waiting_in

PREFIX: Final = "cordyna:"
PARTS: Final = ("scaling", "archive", "metric-math")
"""What an emulator may leave out (`cordyna:leave-out`)."""

_BUS: Final = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,31}")
_ACCOUNT: Final = re.compile(r"\d{12}")

Check = Callable[[Construct, Any], str | None]
"""What is wrong with a value, or None; empty values are checked, too."""


class ContextError(ValueError):
    """Context values that cannot be used; the text lists each."""


def _one_of(*values: str) -> Check:
    allowed = ", ".join(values[:-1]) + f" or {values[-1]}"
    return lambda _, value: None if value in values else f"must be {allowed}"


def _matching(pattern: str, what: str) -> Check:
    return lambda _, value: None if re.fullmatch(pattern, str(value)) else f"must be {what}"


def _parsed_by(parser: Callable[[Construct], object]) -> Check:
    def check(scope: Construct, _: Any) -> str | None:
        try:
            parser(scope)
        except ValueError as error:
            return str(error)
        return None

    return check


def _bus_problem(_: Construct, value: Any) -> str | None:
    if value == "default":
        return "must not be the bus `default` of the account, which others use"
    if not _BUS.fullmatch(str(value)):
        return "must be at most 32 letters, digits and hyphens, a letter first"
    return None


def _parts_problem(_: Construct, value: Any) -> str | None:
    unknown = sorted(set(filter(None, str(value).split(","))) - set(PARTS))
    return (
        f"has unknown parts {', '.join(unknown)}: known are {', '.join(PARTS)}" if unknown else None
    )


def _accounts_problem(_: Construct, value: Any) -> str | None:
    if not isinstance(value, Mapping):
        return 'must be an object in cdk.json, such as {"111122223333": ["cordyna.server.sales"]}'
    for account, sources in value.items():
        if not _ACCOUNT.fullmatch(account):
            return f"has {account!r}, which is not the 12 digits of an account"
        if not isinstance(sources, list) or not sources:
            return f"must list the sources of account {account}"
        try:
            for source in sources:
                allowed_detail_types(source)
        except ValueError as error:
            return f"has an unusable source: {error}"
    return None


CHECKS: Final[Mapping[str, Check]] = {
    "stage": _one_of(*STAGES),
    "bus": _bus_problem,
    "on-call": _matching(r"|[^@\s]+@[^@\s]+", "an e-mail address"),
    "table": _matching(r"[A-Za-z0-9_.-]{3,255}", "the name of a table"),
    "timers": _parsed_by(waiting_in),
    "max-concurrency": _parsed_by(capacities),
    "reserved-concurrency": _parsed_by(capacities),
    "provisioned-pollers": _parsed_by(capacities),
    "event-log": _parsed_by(logged_events),
    "shift": _parsed_by(shift_config),
    "customer-key": _matching("(?i)|true|false", "true or false"),
    "accounts": _accounts_problem,
    "console": _parsed_by(HostedSignIn.of),
    "runtime": _matching(r"python3\.\d+", "a Python of AWS Lambda, such as python3.14"),
    "architecture": _one_of(*ARCHITECTURES),
    "leave-out": _parts_problem,
    "image": _matching(r"\S+", "the name of an image"),
}
"""Name of a context value without its prefix -> its check."""


def check_contexts(scope: Construct) -> None:
    """Raise ContextError, which lists every context value of cordyna that cannot be used."""
    problems = list(dict.fromkeys(_problems(scope)))
    if problems:
        raise ContextError("\n".join(problems))


def _problems(scope: Construct) -> Iterator[str]:
    values: Mapping[str, Any] = scope.node.get_all_context()
    for name in sorted(name for name in values if name.startswith(PREFIX)):
        check = CHECKS.get(name.removeprefix(PREFIX))
        if check is None:
            close = get_close_matches(name.removeprefix(PREFIX), CHECKS, n=1)
            hint = f"did you mean {PREFIX}{close[0]}?" if close else "docs/deploying.md lists them"
            yield f"{name} is not a context of cordyna: {hint}"
        elif problem := check(scope, values[name]):
            # Those that parse name themselves.
            yield (
                problem
                if problem.startswith(PREFIX)
                else f"{name} is {values[name]!r}: it {problem}"
            )
