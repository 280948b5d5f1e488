"""Due: until when the run of a cron's tick has to be completed, as declared.

Invariant: a due time follows its tick: `07:00` is the first time after it at which the clocks of
its time zone show that, and `2h` is that long after it.
"""

import re
from datetime import UTC, datetime, timedelta
from typing import Annotated, Final
from zoneinfo import ZoneInfo

from pydantic import AfterValidator

_TIME_OF_DAY: Final = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])")
_PART: Final = re.compile(r"([0-9]{1,9})([smhd])")
_DURATION: Final = re.compile(f"(?:{_PART.pattern})+")
_SECONDS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400}

DUE_MAX_S: Final = 31 * 86_400
"""Longer than any other time that a person would wait for a run."""


def _checked(text: str) -> str:
    if _TIME_OF_DAY.fullmatch(text) is None and _seconds(text) is None:
        raise ValueError(
            f"{text[:40]!r} is not a time to be completed by: write a time of day like 07:00, or a"
            " time after the tick such as 90m, 2h or 1d, at most 31d"
        )
    return text


Due = Annotated[str, AfterValidator(_checked)]
"""`07:00` in the time zone of the cron, or a duration such as `2h` or `1h30m` after the tick."""


def _seconds(text: str) -> int | None:
    if _DURATION.fullmatch(text) is None:
        return None
    seconds = sum(int(number) * _SECONDS[unit] for number, unit in _PART.findall(text))
    return seconds if 0 < seconds <= DUE_MAX_S else None


def due_at(due: str, timezone: str, nominal: float) -> float:
    """Return until when the run of the tick at `nominal` has to be completed (UTC seconds).

    Raises:
        ValueError: `due` cannot be declared.
    """
    seconds = _seconds(_checked(due))
    if seconds is not None:
        return nominal + seconds
    hour, minute = map(int, due.split(":"))
    zone = UTC if timezone == "UTC" else ZoneInfo(timezone)
    tick = datetime.fromtimestamp(nominal, zone)
    day = tick.replace(tzinfo=None, hour=hour, minute=minute, second=0, microsecond=0)
    while True:
        # Wall time first, then the offset: a day whose clocks change has 23 or 25 hours.
        for fold in (0, 1):  # where clocks show it twice, both count
            at = day.replace(tzinfo=zone, fold=fold).timestamp()
            if at > nominal:
                return at
        day += timedelta(days=1)
