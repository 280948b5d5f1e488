"""Time: moments as the contract writes them.

Invariant: every moment on the wire is UTC, RFC 3339, with milliseconds (microseconds if it has
any), from 1970 to 9999, so that it can be converted to every time zone.
"""

from datetime import UTC, datetime
from typing import Annotated, Final

from pydantic import AfterValidator, AwareDatetime, PlainSerializer

EARLIEST: Final = datetime(1970, 1, 1, tzinfo=UTC)
LATEST: Final = datetime(9999, 12, 30, tzinfo=UTC)


def rfc3339(time: datetime) -> str:
    """Write an aware datetime as UTC with milliseconds, or microseconds if it has any."""
    precision = "microseconds" if time.microsecond % 1000 else "milliseconds"
    return time.astimezone(UTC).isoformat(timespec=precision)[:-6] + "Z"


def _in_range(time: datetime) -> datetime:
    if not EARLIEST <= time <= LATEST:
        raise ValueError(f"a time is from {EARLIEST:%Y-%m-%d} to {LATEST:%Y-%m-%d}")
    return time


Instant = Annotated[
    AwareDatetime,
    AfterValidator(_in_range),
    PlainSerializer(rfc3339, return_type=str, when_used="json-unless-none"),
]
"""A moment. A time without an offset is refused: its time zone is unknown."""


def utc(seconds: float) -> datetime:
    """Convert UTC seconds since the epoch to an aware datetime."""
    return datetime.fromtimestamp(seconds, UTC)
