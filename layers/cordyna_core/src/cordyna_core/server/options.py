"""Options: the arguments of `@server.task` as one task of the contract.

Invariant: a wrong option is refused where it is written, with what is wrong, why, and what to do.
"""

import difflib
import re
from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet
from typing import Any, Final

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from cordyna_core.contract.access import ENTRY_RULE
from cordyna_core.contract.declaration import TaskDeclaration, Upstream
from cordyna_core.contract.ids import NAME_RULE, is_name
from cordyna_core.contract.limits import MAX_AGE_S
from cordyna_core.errors import UserError

Duration = int | str
"""Whole seconds, or numbers with their units: `90s`, `10m`, `1h30m`, `1d`."""

_UNIT_S: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_PART: Final = re.compile(r"([0-9]{1,9})([smhd])")
_DURATION: Final = re.compile(f"(?:{_PART.pattern})+")

_CLOCKS: Final = ("ack_timeout_s", "start_timeout_s", "run_timeout_s")
_CLOCK_RULE: Final = "give whole seconds or a text like `10m`, from 1 second to 365 days"
_PAUSES: Final = {"retry_delay": "retry_delay_s", "retry_max_delay": "retry_max_delay_s"}
"""Options that are durations, with their fields of the contract."""

_LONGEST_VALUE: Final = 200
"""Characters of a wrong value that its error shows."""

_PAUSE_RULE: Final = (
    "give retry_delay and retry_max_delay as whole seconds or as texts like `30s`, "
    "from 1 second to 7 days, the delay not longer than the longest"
)
_NEXT: Final = {
    "name": f"choose another name: {NAME_RULE}",
    "cron": "write five unix fields, for example cron='0 6 * * 1-5'",
    "timezone": "use an IANA name, for example timezone='Europe/Berlin'",
    "overlap": "use overlap='skip' or overlap='allow'",
    "retries": "give a whole number from 0 to 20",
    "owner": "give the name of a team, for example owner='team-sales'",
    "description": "leave it out, or give a short text",
    "consumers": f"give a list of servers: {ENTRY_RULE}",
    "invokers": f"give a list of servers, and clients as `client.<name>`: {ENTRY_RULE}",
    "deprecated": "say what to use instead, for example deprecated='use orders-v2'",
    "until": "give a day, for example until='2027-03-01'",
    "due": "give a time of day with a cron, for example due='07:00', or a time after it: due='2h'",
    **dict.fromkeys(_CLOCKS, _CLOCK_RULE),
    **dict.fromkeys(_PAUSES.values(), _PAUSE_RULE),
    "retry_backoff": "give a number from 1 to 100",
    "retry_jitter": "use retry_jitter=True or retry_jitter=False",
}
"""What to do about a wrong value of an option."""


OPTIONS: Final = (
    "name",
    "upstream",
    "cron",
    "timezone",
    "overlap",
    "retries",
    *_CLOCKS,
    "owner",
    "description",
    "output_type",
    *_PAUSES,
    "retry_backoff",
    "retry_jitter",
    "retry_on",
    "never_retry_on",
    "consumers",
    "invokers",
    "deprecated",
    "until",
    "due",
)
"""The keyword arguments of `@server.task`."""


def require_known_options(names: Iterable[str]) -> None:
    """Raise UserError if one of the keyword arguments is not an option of `@server.task`."""
    for name in names:
        if name not in OPTIONS:
            # Of several, the one that was probably typed incompletely.
            near = sorted(
                difflib.get_close_matches(name, OPTIONS), key=lambda one: abs(len(one) - len(name))
            )
            raise UserError(
                f"@server.task has no option {name!r}",
                why=f"its options are {', '.join(OPTIONS)}",
                next=f"did you mean {near[0]}=...?" if near else f"remove {name}=...",
            )


def seconds_of(duration: Duration) -> int:
    """Convert `90`, `"90s"`, `"10m"`, `"1h30m"` or `"1d"` to whole seconds. Raises UserError."""
    if isinstance(duration, str) and _DURATION.fullmatch(duration):
        return sum(int(number) * _UNIT_S[unit] for number, unit in _PART.findall(duration))
    if isinstance(duration, int) and not isinstance(duration, bool) and duration >= 0:
        return duration
    raise UserError(
        f"{duration!r} is not a duration",
        next="give whole seconds, or numbers with their units: 90s, 10m, 1h30m, 1d",
    )


def fresh(task: str, *, within: Duration) -> Upstream:
    """Return an upstream whose completed result may be reused while it is at most `within` old.

    Raises:
        UserError: a bad name, or a duration of less than one second.
    """
    within_s = seconds_of(within)
    if within_s < 1:
        what = f'fresh("{task}", within={within!r}) can never be met'
        raise UserError(what, next="give at least one second, or name the task without fresh()")
    if within_s > MAX_AGE_S:
        what = f'fresh("{task}", within={within!r}) is more than 100 years'
        raise UserError(what, next="give a shorter duration")
    return Upstream(task=require_name(task, "task"), within_s=within_s)


def task_name_of(function_name: str) -> str:
    """Return the name of a function's task: `task_3` -> `task-3`."""
    return function_name.strip("_").replace("_", "-")


def require_name(name: object, kind: str) -> str:
    """Return `name` if it may be the name of a task or a server (`kind`). Raises UserError."""
    # A name may come from a loop over anything, so its type is checked, too.
    if not isinstance(name, str) or not is_name(name):
        what = f"{name!r} cannot be the name of a {kind}"
        if kind == "task" and callable(name) and (function := getattr(name, "__name__", "")):
            raise UserError(what, next=f'give the name as text: "{task_name_of(function)}"')
        raise UserError(what, next=_NEXT["name"])
    return name


def declare_task(
    name: str, upstream: Iterable[str | Upstream] = (), **options: Any
) -> TaskDeclaration:
    """Return one task of the contract.

    `options` are fields of TaskDeclaration; for None, the contract's default applies.

    Raises:
        UserError: a bad name, upstream, cron, clock, ...
    """
    require_name(name, "task")
    fields = {key: _in_order(value) for key, value in options.items() if value is not None}
    edges = _edges(name, upstream)
    if edges:
        fields["upstream"] = edges
    try:
        for pause, field in _PAUSES.items():
            if pause in fields:
                fields[field] = fields.pop(pause)
        for duration in (*_CLOCKS, *_PAUSES.values()):
            if duration in fields:
                fields[duration] = seconds_of(fields[duration])
        return TaskDeclaration(name=name, **_with_both_delays(fields))
    except ValidationError as invalid:
        raise _refusal(name, invalid) from None


def _with_both_delays(fields: dict[str, Any]) -> dict[str, Any]:
    """Where one delay of retries is given, let the default of the other one give way to it."""
    first, longest = "retry_delay_s", "retry_max_delay_s"
    defaults = {field: TaskDeclaration.model_fields[field].default for field in (first, longest)}
    if first in fields and longest not in fields:
        return {**fields, longest: max(fields[first], defaults[longest])}
    if longest in fields and first not in fields:
        return {**fields, first: min(fields[longest], defaults[first])}
    return fields


def _in_order(value: Any) -> Any:
    """Return the items of a set in order: theirs is another one in each process."""
    return sorted(value, key=repr) if isinstance(value, AbstractSet) else value


def _refusal(name: str, invalid: ValidationError) -> UserError:
    errors = invalid.errors(include_url=False, include_context=False)
    # A fault of the task as a whole has no field: its text begins with it, as `until needs ...`.
    wrong_fields = dict.fromkeys(
        str((*error["loc"], _fault(error).partition(" ")[0])[0]) for error in errors
    )
    return UserError(
        f'task "{name}" is declared wrongly',
        why="\n".join(map(_fault, errors)),
        next="; ".join(_NEXT[field] for field in wrong_fields if field in _NEXT),
    )


def _fault(error: ErrorDetails) -> str:
    text = error["msg"].removeprefix("Value error, ")
    return f"{error['loc'][0]}={_shown(error['input'])}: {text}" if error["loc"] else text


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= _LONGEST_VALUE else f"{text[:_LONGEST_VALUE]}..."


def with_typed(
    name: str, upstream: Iterable[str | Upstream], typed: Sequence[str | Upstream]
) -> Iterable[str | Upstream]:
    """Return the upstreams of a task with those that its parameters take. Raises UserError."""
    return [*_edges(name, upstream), *typed] if typed else upstream


def _edges(name: str, upstream: Iterable[str | Upstream]) -> list[str | Upstream]:
    if isinstance(upstream, str | Upstream):
        raise UserError(f'task "{name}": upstream is a list', next=f"write upstream=[{upstream!r}]")
    edges = list(_in_order(upstream))
    names = [
        edge.task if isinstance(edge, Upstream) else require_name(edge, "task") for edge in edges
    ]
    if name in names:
        raise UserError(f'task "{name}" names itself as its upstream', next="remove it")
    if len(set(names)) < len(names):
        repeated = sorted({repeated for repeated in names if names.count(repeated) > 1})
        raise UserError(
            f'task "{name}" names an upstream twice: {", ".join(repeated)}',
            next="name it once: in upstream=[...], or by a parameter with upstream()",
        )
    return edges
