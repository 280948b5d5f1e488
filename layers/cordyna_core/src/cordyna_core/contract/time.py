"""Time: moments as the contract writes them.

Invariant: every moment on the wire is UTC, RFC 3339, with milliseconds (microseconds if it has
any), from 1970 to 9999, so that it can be converted to every time zone.
"""

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Annotated, Any, Final

from pydantic import AwareDatetime, BeforeValidator, Field, PlainSerializer

EARLIEST: Final = datetime(1970, 1, 1, tzinfo=UTC)
LATEST: Final = datetime(9999, 12, 30, tzinfo=UTC)


def rfc3339(time: datetime) -> str:
    """Write an aware datetime as UTC with milliseconds, or microseconds if it has any."""
    since = time - EARLIEST
    rest = since.microseconds
    fraction = f"{rest:06}" if rest % 1000 else f"{rest // 1000:03}"
    return f"{_whole_second(since.days, since.seconds)}.{fraction}Z"


# Cached, because `isoformat` takes a tenth of the time of a message, and many share a second.
@lru_cache(maxsize=1024)
def _whole_second(days: int, seconds: int) -> str:
    """Write the second that begins this long after EARLIEST, without its offset."""
    return (EARLIEST + timedelta(days, seconds)).replace(tzinfo=None).isoformat()


def _require_rfc3339(value: Any) -> Any:
    """Refuse a number of seconds, which pydantic would take for a time, also as a text."""
    if isinstance(value, datetime) or (isinstance(value, str) and value[4:5] == "-"):
        return value
    raise ValueError(f"{str(value)[:40]!r} is not an RFC 3339 time such as 2030-01-31T06:00:00Z")


# The range is checked by pydantic's compiled code: a function of ours takes three times as long.
Instant = Annotated[
    AwareDatetime,
    Field(ge=EARLIEST, le=LATEST),
    BeforeValidator(_require_rfc3339),
    PlainSerializer(rfc3339, return_type=str, when_used="json-unless-none"),
]
"""A moment. A time without an offset is refused: its time zone is unknown."""


def utc(seconds: float) -> datetime:
    """Convert UTC seconds since the epoch to an aware datetime."""
    return datetime.fromtimestamp(seconds, UTC)
