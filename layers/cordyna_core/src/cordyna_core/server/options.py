"""Declaration: how a team's words become one task of the contract.

Law: what is declared wrongly is refused where it is written, with what is wrong, why, and what to do about it.
"""

import re
from collections.abc import Iterable
from typing import Any, Final

from pydantic import ValidationError

from cordyna_core.contract.declaration import TaskDeclaration, Upstream
from cordyna_core.contract.ids import NAME_PATTERN
from cordyna_core.errors import UserError

Duration = int | str
"""Whole seconds, or numbers with their units: `90s`, `10m`, `1h30m`, `1d`."""

_UNIT_S: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_PART: Final = re.compile(r"([0-9]{1,9})([smhd])")
_DURATION: Final = re.compile(f"(?:{_PART.pattern})+")

_NAME_RULE: Final = (
    "begin with a letter or a digit, then letters, digits, `.`, `_` and `-`, at most 128 in all"
)
_CLOCK_RULE: Final = "give whole seconds or a text like `10m`, from 1 second to 365 days"
_NEXT: Final = {
    "name": f"name it otherwise: {_NAME_RULE}",
    "cron": "write five unix fields, for example cron='0 6 * * 1-5'",
    "timezone": "use an IANA name, for example timezone='Europe/Berlin'",
    "overlap": "use overlap='skip' or overlap='allow'",
    "retries": "give a whole number from 0 to 20",
    "ack_timeout_s": _CLOCK_RULE,
    "start_timeout_s": _CLOCK_RULE,
    "run_timeout_s": _CLOCK_RULE,
}
"""What to do about a field that is declared wrongly."""


def seconds_of(duration: Duration) -> int:
    """Whole seconds of `90`, `"90s"`, `"10m"`, `"1h30m"` or `"1d"`. Raises UserError."""
    if isinstance(duration, str) and _DURATION.fullmatch(duration):
        return sum(int(number) * _UNIT_S[unit] for number, unit in _PART.findall(duration))
    if isinstance(duration, int) and not isinstance(duration, bool) and duration >= 0:
        return duration
    raise UserError(
        f"{duration!r} is not a duration",
        next="give whole seconds, or numbers with their units: 90s, 10m, 1h30m, 1d",
    )


def fresh(task: str, *, within: Duration) -> Upstream:
    """An upstream whose completed result may be reused while it is at most `within` old (section 4, rule 14). Raises UserError."""
    within_s = seconds_of(within)
    if within_s < 1:
        what = f'fresh("{task}", within={within!r}) can never be met'
        raise UserError(what, next="give at least one second, or name the task without fresh()")
    return Upstream(task=checked_name(task, "task"), within_s=within_s)


def task_name_of(function_name: str) -> str:
    """`task_3` -> `task-3`: what a function's task is called unless it is named."""
    return function_name.strip("_").replace("_", "-")


def checked_name(name: str, what: str) -> str:
    """`name`, when it may be the name of a task or a server. Raises UserError."""
    # A name may come from a loop over anything, so its type is looked at, too.
    if re.fullmatch(NAME_PATTERN, str(name)) is None or str(name) != name:
        raise UserError(f"{name!r} cannot be the name of a {what}", next=_NEXT["name"])
    return name


def declare(
    name: str, upstream: Iterable[str | Upstream] = (), **properties: Any
) -> TaskDeclaration:
    """One task of the contract. Of `properties` (those of TaskDeclaration) a None means "not said", and is left to the contract's default.

    Raises:
        UserError: a bad name, upstream, cron, clock, ...
    """
    checked_name(name, "task")
    said = {key: value for key, value in properties.items() if value is not None}
    edges = _edges(name, upstream)
    if edges:
        said["upstream"] = edges
    try:
        for clock in ("ack_timeout_s", "start_timeout_s", "run_timeout_s"):
            if clock in said:
                said[clock] = seconds_of(said[clock])
        return TaskDeclaration(name=name, **said)
    except ValidationError as invalid:
        faults = invalid.errors(include_url=False, include_context=False)
        fields = dict.fromkeys(str(fault["loc"][0]) for fault in faults)
        raise UserError(
            f'task "{name}" is declared wrongly',
            why="\n".join(
                f"{fault['loc'][0]}={fault['input']!r}: {fault['msg'].removeprefix('Value error, ')}"
                for fault in faults
            ),
            next="; ".join(_NEXT[field] for field in fields if field in _NEXT),
        ) from None


def _edges(name: str, upstream: Iterable[str | Upstream]) -> list[str | Upstream]:
    if isinstance(upstream, str | Upstream):
        raise UserError(f'task "{name}": upstream is a list', next=f"write upstream=[{upstream!r}]")
    edges = list(upstream)
    names = [
        edge.task if isinstance(edge, Upstream) else checked_name(edge, "task") for edge in edges
    ]
    if name in names:
        raise UserError(f'task "{name}" names itself as its upstream', next="leave it out")
    twice = (
        sorted({each for each in names if names.count(each) > 1})
        if len(set(names)) < len(names)
        else []
    )
    if twice:
        raise UserError(
            f'task "{name}" names an upstream twice: {", ".join(twice)}', next="name it once"
        )
    return edges
