"""Parse a time: a duration back from now, a date, or a moment."""

from datetime import UTC, datetime, timedelta

from cordyna_cli.usage_error import UsageError
from cordyna_core.errors import UserError
from cordyna_core.server.options import seconds_of


def parse_seconds(duration: str) -> int:
    """`90s`, `30m`, `1h30m`; a bare number is seconds. Raises UsageError."""
    try:
        return seconds_of(int(duration) if duration.isdecimal() else duration)
    except UserError as unreadable:
        raise UsageError(f"{unreadable.what}.", next=unreadable.next) from unreadable


def parse_since(text: str, now: datetime) -> datetime:
    """`2h`: so long before `now`; `2026-11-01` and `2026-11-01T08:00`: in UTC unless it has a zone.

    Raises UsageError.
    """
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return _before(now, text)
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)


def _before(now: datetime, duration: str) -> datetime:
    try:
        return now - timedelta(seconds=parse_seconds(duration))
    except (UsageError, OverflowError) as unreadable:
        raise UsageError(
            f"--since {duration} is neither a duration nor a date.",
            next="write 2h, 7d, 2026-11-01 or 2026-11-01T08:00",
        ) from unreadable
