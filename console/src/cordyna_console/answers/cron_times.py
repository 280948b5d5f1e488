"""Cron times: the moments at which a cron fires between two others.

Invariant: they are those at which cerebro fires it (docs/rules.md, rule 15): a time that clocks
skip in spring is left out, and one that occurs twice in autumn is its first occurrence.
"""

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Final
from zoneinfo import ZoneInfo

from cordyna_core.contract.cron import Cron
from cordyna_core.contract.time_zones import UTC_NAME

DAY: Final = timedelta(days=1)


def cron_times(cron: Cron, timezone: str, begin: datetime, end: datetime) -> Iterator[datetime]:
    """Yield the times from `begin` on and before `end`, in UTC and in order."""
    zone: tzinfo = UTC if timezone == UTC_NAME else ZoneInfo(timezone)
    day = begin.astimezone(zone).date() - DAY
    while day <= end.astimezone(zone).date():
        if _fires_on(cron, day):
            yield from (at for at in _times_of(cron, day, zone) if begin <= at < end)
        day += DAY


def _fires_on(cron: Cron, day: date) -> bool:
    # Of a cron, Sunday is 0.
    weekday = day.isoweekday() % 7
    return day.month in cron.months and day.day in cron.days and weekday in cron.weekdays


def _times_of(cron: Cron, day: date, zone: tzinfo) -> Iterator[datetime]:
    midnight = datetime.combine(day, time(), zone)
    following = datetime.combine(day + DAY, time(), zone)
    begin = midnight.astimezone(UTC)
    is_plain = following.astimezone(UTC) - begin == DAY
    for hour in cron.hours:
        for minute in cron.minutes:
            if is_plain:
                yield begin + timedelta(hours=hour, minutes=minute)
                continue
            wall = midnight.replace(hour=hour, minute=minute, fold=0)
            at = wall.astimezone(UTC)
            # What clocks skip is another time when it is read back.
            if at.astimezone(zone).replace(fold=0) == wall:
                yield at
