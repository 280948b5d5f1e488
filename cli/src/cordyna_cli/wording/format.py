"""Format: durations, moments, counts, lists of names and foreign text as words on a line."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final

from cordyna_cli.wording.foreign_text import one_line
from cordyna_core.contract.base import ErrorDescription

_NAMES_MAX: Final = 4
_JSON_TRIED_CHARS_MAX: Final = 200


def duration(seconds: float) -> str:
    """Return `42 ms`, `4.2 s`, `3 m 12 s`, `2 h 05 m`, `3 d 04 h`."""
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


def seconds_between(earlier: datetime, later: datetime) -> float:
    """Return seconds from `earlier` to `later`; negative where `later` comes first."""
    return (later - earlier).total_seconds()


def moment(at: datetime, now: datetime) -> str:
    """Return `12:03:04Z`, with the date when it is another day."""
    at = at.astimezone(UTC)
    return (
        f"{at:%H:%M:%SZ}" if at.date() == now.astimezone(UTC).date() else f"{at:%Y-%m-%d %H:%M:%SZ}"
    )


def time_of_day(at: datetime) -> str:
    """Return `12:03:04.005`, UTC."""
    at = at.astimezone(UTC)
    return f"{at:%H:%M:%S}.{at.microsecond // 1000:03d}"


def ago(then: datetime, now: datetime) -> str:
    """Return `12 s ago`; `in 12 s` when it is to come."""
    seconds = seconds_between(then, now)
    return f"in {duration(-seconds)}" if seconds < 0 else f"{duration(seconds)} ago"


def error_line(error: ErrorDescription) -> str:
    """Return `ValueError: bad row 7`, on one line; only the type where there is no message."""
    return one_line(f"{error.type}: {error.message}").removesuffix(":")


def compact_json(value: Any) -> str:
    """Return JSON on one line."""
    return json.dumps(value, ensure_ascii=False, default=str)


def param_argument(name: str, value: Any) -> str:
    """Return `day=monday`, as `-p` reads it back: JSON, or text that cannot be read as JSON."""
    if isinstance(value, str) and value.isprintable() and not _may_be_json(value):
        return f"{one_line(name)}={value}"
    text = json.dumps(value, ensure_ascii=False)
    return f"{one_line(name)}={text if text.isprintable() else json.dumps(value)}"


def _may_be_json(text: str) -> bool:
    """Long text is not tried: deep nesting could exceed the stack."""
    if len(text) > _JSON_TRIED_CHARS_MAX:
        return True
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


def plural(count: int, noun: str, many: str = "") -> str:
    """Return `1 task`, `2 tasks`; `many` where the plural is not noun and s."""
    return f"{count} {noun}" if count == 1 else f"{count} {many or f'{noun}s'}"


def join_names(names: Sequence[str], most: int = _NAMES_MAX) -> str:
    """Return `a, b and c`; of more than `most`, `a, b, c, d and 9 more`."""
    if len(names) > most + 1:
        return f"{', '.join(names[:most])} and {len(names) - most} more"
    return " and ".join(filter(None, (", ".join(names[:-1]), *names[-1:])))
