"""Words: spans of time, moments and foreign text as a terminal shows them."""

import json
import re
from datetime import UTC, datetime
from typing import Any, Final

from cordyna_core.contract.base import ErrorDescription

_CONTROL: Final = re.compile(
    r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|.)|[\x00-\x08\x0b-\x1f\x7f-\x9f]"
)


def span(seconds: float) -> str:
    """`42 ms`, `4.2 s`, `3 m 12 s`, `2 h 05 m`, `3 d 04 h`."""
    seconds = max(seconds, 0.0)
    if seconds < 0.0995:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 3600:
        return f"{whole // 60} m {whole % 60:02d} s"
    minutes = whole // 60
    if minutes < 24 * 60:
        return f"{minutes // 60} h {minutes % 60:02d} m"
    return f"{minutes // 1440} d {minutes // 60 % 24:02d} h"


def since(then: datetime, now: datetime) -> float:
    """Seconds from `then` to `now`."""
    return (now - then).total_seconds()


def moment(at: datetime, now: datetime) -> str:
    """`12:03:04Z`, with the date when it is another day."""
    at = at.astimezone(UTC)
    return (
        f"{at:%H:%M:%SZ}" if at.date() == now.astimezone(UTC).date() else f"{at:%Y-%m-%d %H:%M:%SZ}"
    )


def exact(at: datetime) -> str:
    """`12:03:04.005`, UTC."""
    at = at.astimezone(UTC)
    return f"{at:%H:%M:%S}.{at.microsecond // 1000:03d}"


def ago(then: datetime, now: datetime) -> str:
    """`12 s ago`, coarse; `in 12 s` when it is to come."""
    seconds = since(then, now)
    return f"in {span(-seconds)}" if seconds < 0 else f"{span(seconds)} ago"


def clean(text: str) -> str:
    """Foreign text without what would move a terminal's cursor or change its colours; tabs and line ends are kept."""
    return _CONTROL.sub("", text.replace("\r\n", "\n"))


def one_line(text: str) -> str:
    """Foreign text on one line."""
    return " ".join(clean(text).split())


def error_in_words(error: ErrorDescription) -> str:
    """`ValueError: bad row 7`, on one line; only the type of one that says nothing."""
    return one_line(f"{error.type}: {error.message}").removesuffix(":")


def compact(value: Any) -> str:
    """JSON on one line."""
    return json.dumps(value, ensure_ascii=False, default=str)


def several(count: int, noun: str) -> str:
    """`1 task`, `2 tasks`."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def listed(names: list[str], most: int = 4) -> str:
    """`a, b and c`; `a, b, c, d and 9 more`."""
    if len(names) > most + 1:
        return f"{', '.join(names[:most])} and {len(names) - most} more"
    return (
        names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}" if names else ""
    )
