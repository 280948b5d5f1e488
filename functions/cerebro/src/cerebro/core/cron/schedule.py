"""Schedule: when a cron fires next in its time zone, and which ticks were missed.

Invariant: every engine fires at the same instants. On days when clocks change, the embedded engine
follows Amazon EventBridge Scheduler ("Schedule types", daylight saving time):

- in spring, a time that does not exist is skipped: 02:30 does not fire on the day whose clocks go
  from 02:00 to 03:00;
- in autumn, a time that occurs twice fires once, at its first occurrence.

A cron in UTC has neither: there, every day has 24 hours.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

from cronsim import CronSim

from cordyna_core.contract.cron import Cron

TICK_LATE_MAX_S: Final = 300.0
"""A tick at most this late still fires."""

MISSED_TICKS_MAX_AGE_S: Final = 7 * 24 * 3600.0
"""Older missed ticks are not reported: in a month, a cron of every minute misses 43,200."""


class Ticks(NamedTuple):
    """The past nominal times of one cron: at most one fires, the others are reported."""

    fires: float | None
    missed: tuple[float, ...]


def next_after(cron: str, timezone: str, after: float) -> float:
    """Return the first nominal time later than `after` (UTC seconds).

    A cron that can be declared fires at least every 8 years.

    Raises:
        ValueError: `cron` cannot be declared.
    """
    return next(_ticks(cron, timezone, after))


def due_ticks(cron: str, timezone: str, *, after: float, now: float) -> Ticks:
    """Return the ticks later than `after` and not later than `now` (UTC seconds).

    The last one fires if it is at most TICK_LATE_MAX_S late; all others are missed.
    """
    due: list[float] = []
    for tick in _ticks(cron, timezone, max(after, now - MISSED_TICKS_MAX_AGE_S)):
        if tick > now:
            break
        due.append(tick)
    if due and now - due[-1] <= TICK_LATE_MAX_S:
        return Ticks(due[-1], tuple(due[:-1]))
    return Ticks(None, tuple(due))


def _ticks(cron: str, timezone: str, after: float) -> Iterator[float]:
    zone = UTC if timezone == "UTC" else ZoneInfo(timezone)
    # Cronsim gets wall time without a zone, so that its own rules for clock changes do not apply.
    begin = datetime.fromtimestamp(after, zone).replace(tzinfo=None, fold=0)
    for wall in CronSim(str(Cron.parse(cron)), begin):
        tick = wall.replace(tzinfo=zone).timestamp()
        exists = datetime.fromtimestamp(tick, zone).replace(tzinfo=None) == wall
        # In the hour that occurs twice, the wall time is ahead of ticks that have passed.
        if exists and tick > after:
            yield tick
