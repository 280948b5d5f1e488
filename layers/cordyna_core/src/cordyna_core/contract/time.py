"""Time: moments as the contract writes them.

Invariant: every moment on the wire is UTC, RFC 3339, with milliseconds (microseconds if they
differ).
"""

from datetime import UTC, datetime
from typing import Annotated

from pydantic import AwareDatetime, PlainSerializer


def rfc3339(time: datetime) -> str:
    """Write an aware datetime as UTC with milliseconds, or microseconds if it has any."""
    precision = "microseconds" if time.microsecond % 1000 else "milliseconds"
    return time.astimezone(UTC).isoformat(timespec=precision)[:-6] + "Z"


Instant = Annotated[
    AwareDatetime, PlainSerializer(rfc3339, return_type=str, when_used="json-unless-none")
]
"""A moment. A time without an offset is refused: its time zone is unknown."""


def utc(seconds: float) -> datetime:
    """Convert UTC seconds since the epoch to an aware datetime."""
    return datetime.fromtimestamp(seconds, UTC)
