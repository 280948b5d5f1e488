"""Schedule: when a cron fires next, in its time zone, and what becomes of a tick that was missed.

Law: every engine fires at the same instants. Amazon EventBridge Scheduler sets the rule for the days on which clocks change
("Schedule types", daylight saving time), and the embedded engine follows it:

- in spring, a time that does not exist is skipped: 02:30 does not fire on the day whose clocks go from 02:00 to 03:00;
- in autumn, a time that comes twice fires once, the first time it comes.

Who minds either declares the cron in UTC, where every day has 24 hours.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

from cronsim import CronSim

from cordyna_core.contract.cron import Cron

LATEST_S: Final = 300.0
"""A tick at most this late still fires."""


class Ticks(NamedTuple):
    """The nominal times of one cron that have come: at most one fires, the others are reported."""

    fires: float | None
    missed: tuple[float, ...]


def next_after(cron: str, timezone: str, after: float) -> float:
    """The first nominal time later than `after` (UTC seconds both).

    Raises:
        ValueError: when `cron` is none that can be declared, or never fires again.
    """
    return next(_ticks(cron, timezone, after))


def due_ticks(cron: str, timezone: str, *, after: float, now: float, most: int = 1000) -> Ticks:
    """What has come later than `after` and not later than `now`.

    The last tick fires when it is at most LATEST_S late. All before it are missed (one run makes up for them), and of these
    the latest `most` are told.
    """
    due: list[float] = []
    for tick in _ticks(cron, timezone, after):
        if tick > now:
            break
        due = [*due[-most:], tick]
    if due and now - due[-1] <= LATEST_S:
        return Ticks(due[-1], tuple(due[:-1]))
    return Ticks(None, tuple(due[-most:]))


def _ticks(cron: str, timezone: str, after: float) -> Iterator[float]:
    zone = ZoneInfo(timezone) if timezone != "UTC" else UTC
    # Cronsim is given bare wall time, so that its own (Debian's) rules for changing clocks stay out of it. It begins an
    # hour early, because the wall time of `after` may be one that comes twice.
    begin = datetime.fromtimestamp(after, zone).replace(tzinfo=None, microsecond=0) - timedelta(hours=3)
    for wall in CronSim(str(Cron.parse(cron)), begin):
        tick = wall.replace(tzinfo=zone, fold=0).timestamp()
        exists = datetime.fromtimestamp(tick, zone).replace(tzinfo=None) == wall
        if exists and tick > after:
            yield tick
    raise ValueError(f"cron {cron!r} never fires again")
