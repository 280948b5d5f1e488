"""Moments: a moment of the past as a person types it, at the command line or in an address."""

from datetime import UTC, datetime, timedelta

from cordyna_core.errors import UserError
from cordyna_core.server.options import seconds_of


def moment_of(text: str, now: datetime) -> datetime:
    """`2h`: so long before `now`; `2026-11-01` and `2026-11-01T08:00`: in UTC unless it has a zone.

    A bare number is seconds. Raises ValueError.
    """
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return _before(now, text)
    try:
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except OverflowError as outside:
        raise ValueError(f"{text} is outside of the calendar") from outside


def _before(now: datetime, duration: str) -> datetime:
    try:
        seconds = seconds_of(int(duration) if duration.isdecimal() else duration)
        return now - timedelta(seconds=seconds)
    except (UserError, OverflowError) as unreadable:
        raise ValueError(f"{duration} is neither a duration nor a date") from unreadable
