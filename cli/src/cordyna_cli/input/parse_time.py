"""Parse a time: a duration, and a moment as an option of the command line."""

from datetime import datetime

from cordyna_cli.moments import moment_of
from cordyna_cli.usage_error import UsageError
from cordyna_core.errors import UserError
from cordyna_core.server.options import seconds_of


def parse_seconds(duration: str) -> int:
    """Return `90s`, `30m`, `1h30m`; a bare number is seconds. Raises UsageError."""
    try:
        return seconds_of(int(duration) if duration.isdecimal() else duration)
    except UserError as unreadable:
        raise UsageError(f"{unreadable.what}.", next=unreadable.next) from unreadable


def parse_moment(text: str, now: datetime, option: str) -> datetime:
    """See `moment_of`. Raises UsageError, which names the option."""
    try:
        return moment_of(text, now)
    except ValueError as unreadable:
        raise UsageError(
            f"{option} {text} is neither a duration nor a date.",
            next="write 2h, 7d, 2026-11-01 or 2026-11-01T08:00",
        ) from unreadable
