"""Schedule: when a cron fires next, in its time zone, and what becomes of a tick that was missed.

Law: every engine fires at the same instants. Amazon EventBridge Scheduler sets the rule for the days on which clocks change
("Schedule types", daylight saving time), and the embedded engine follows it:

- in spring, a time that does not exist is skipped: 02:30 does not fire on the day whose clocks go from 02:00 to 03:00;
- in autumn, a time that comes twice fires once, the first time it comes.

Who minds either declares the cron in UTC, where every day has 24 hours.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

from cronsim import CronSim

from cordyna_core.contract.cron import Cron

LATEST_S: Final = 300.0
"""A tick at most this late still fires."""

TOLD_BACK_TO_S: Final = 7 * 24 * 3600.0
"""Missed ticks older than this are not told one by one: after a month asleep, a cron of every minute has missed 43,200."""


class Ticks(NamedTuple):
    """The nominal times of one cron that have come: at most one fires, the others are reported."""

    fires: float | None
    missed: tuple[float, ...]


def next_after(cron: str, timezone: str, after: float) -> float:
    """The first nominal time later than `after` (UTC seconds both).

    Raises:
        ValueError: when `cron` is none that can be declared. One that can fires at least every 8 years.
    """
    return next(_ticks(cron, timezone, after))


def due_ticks(cron: str, timezone: str, *, after: float, now: float) -> Ticks:
    """What has come later than `after` and not later than `now` (UTC seconds).

    The last tick fires if it is at most LATEST_S late. It makes up for all before it: those are missed.
    """
    due: list[float] = []
    for tick in _ticks(cron, timezone, max(after, now - TOLD_BACK_TO_S)):
        if tick > now:
            break
        due.append(tick)
    if due and now - due[-1] <= LATEST_S:
        return Ticks(due[-1], tuple(due[:-1]))
    return Ticks(None, tuple(due))


def _ticks(cron: str, timezone: str, after: float) -> Iterator[float]:
    zone = UTC if timezone == "UTC" else ZoneInfo(timezone)
    # Cronsim is given bare wall time, so that its own (Debian's) rules for changing clocks stay out of it.
    begin = datetime.fromtimestamp(after, zone).replace(tzinfo=None, fold=0)
    for wall in CronSim(str(Cron.parse(cron)), begin):
        tick = wall.replace(tzinfo=zone).timestamp()
        exists = datetime.fromtimestamp(tick, zone).replace(tzinfo=None) == wall
        # In the hour that comes again, the wall is ahead of ticks that have passed.
        if exists and tick > after:
            yield tick
