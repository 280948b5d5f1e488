"""Sweep: periodically re-arm the timer of every page of every active run.

On AWS the marks of active runs are in several partitions, and each is swept by an invocation of its
own, which is bounded in time. One that does not reach its end began at another run than the one
before it, so every run is reached by one of the next sweeps. The sweep itself marks the runs that
were created since the one before it and are active still; every third sweep begins with these.

Invariant: a page timer is a hint, so sweeping too often costs money and changes nothing.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from typing import Final, Protocol

from cerebro.core.internal_messages import PageTimer
from cerebro.shell import Ports

BACKDATED_S: Final = 60.0
"""Back-dated so that clock skew cannot make a sweep timer look early."""

SWEEP_INTERVAL_S: Final = 900
"""How often cerebro sweeps on AWS (infra/cordyna_infra/cerebro_stack.py)."""

_FIRST_CHARACTERS: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Of the ids of runs."""


class ActivePages(Protocol):
    """A store whose active runs may be in several partitions."""

    def active_pages(self, shard: int, after: str = "") -> Iterator[tuple[str, int]]:
        """Yield the active runs of a partition and their numbers of pages, by id.

        Only those whose ids are greater than `after`.
        """
        ...

    def new_active_pages(self, shard: int) -> Iterator[tuple[str, int]]:
        """Yield the active runs created since the last sweep, the oldest first.

        With their numbers of pages.

        Each is among the active ones from then on.
        """
        ...


@dataclass(frozen=True, slots=True)
class SweepProgress:
    """How far a sweep came: `last` is the run that it reached last, "" if none."""

    runs: int
    page_timers: int
    last: str
    is_finished: bool


def sweep_shards(
    ports: Ports, active: ActivePages, shards: Iterable[int], keep_going: Callable[[], bool]
) -> SweepProgress:
    """Send a page timer for every page of the active runs of some partitions.

    Stops once `keep_going` returns False (the time limit is near).
    """
    now = ports.clock()
    runs = sent = 0
    last = ""
    for run_id, pages in chain.from_iterable(_in_turn(active, shard, now) for shard in shards):
        if not keep_going():
            return SweepProgress(runs, sent, last, is_finished=False)
        send_page_timers(ports, run_id, pages, now - BACKDATED_S)
        runs, sent, last = runs + 1, sent + pages, run_id
    return SweepProgress(runs, sent, last, is_finished=True)


def _in_turn(active: ActivePages, shard: int, now: float) -> Iterator[tuple[str, int]]:
    """Yield all active runs of a partition, beginning elsewhere in each sweep."""
    sweeps = int(now // SWEEP_INTERVAL_S)
    # 3 and 32 have no common divisor, so the others begin at every character, too.
    is_new_first = sweeps % 3 == 0
    if is_new_first:
        yield from active.new_active_pages(shard)
    yield from _marked_in_turn(active, shard, sweeps)
    if not is_new_first:
        yield from active.new_active_pages(shard)


def _marked_in_turn(active: ActivePages, shard: int, sweeps: int) -> Iterator[tuple[str, int]]:
    # 7 and 32 have no common divisor: every character is the first one of one sweep in 32.
    begin = _FIRST_CHARACTERS[sweeps * 7 % len(_FIRST_CHARACTERS)]
    yield from active.active_pages(shard, begin)
    for run_id, pages in active.active_pages(shard):
        if run_id > begin:
            return
        yield run_id, pages


def send_page_timers(ports: Ports, run_id: str, pages: int, due: float) -> None:
    """Send a page timer for every page of a run."""
    for page in range(pages):
        ports.timers.send_page_timer(PageTimer(run_id, page, due))
