"""Clock jump: a clock for deadlines that does not jump, and the correction when the wall clock did.

A deadline of the core is a point in UTC time. If the wall clock is set forward by an hour, every
deadline would expire at once; if it is set back, none would for an hour. Therefore the engine reads
a SteadyClock, which continues by the monotonic clock. When it has drifted from the wall clock by
more than JUMP_MIN_S, the engine moves every open deadline and armed timer by the difference, and
then the clock itself.

Invariant: between two calls of `take_jump`, two readings differ by the time that really passed.
"""

from contextlib import suppress
from dataclasses import replace
from typing import Final

from cerebro.embedded.storage.home import HomeStore
from cerebro.ports import DamagedItem
from cordyna_core.ports import Clock

JUMP_MIN_S: Final = 2.0
"""A smaller difference is left alone: message times are not more exact than that."""


class SteadyClock:
    """UTC seconds that follow the wall clock at the pace of the monotonic clock."""

    def __init__(self, wall: Clock, monotonic: Clock) -> None:
        self._wall, self._monotonic = wall, monotonic
        self._offset = wall() - monotonic()

    def __call__(self) -> float:
        return self._monotonic() + self._offset

    def take_jump(self) -> float:
        """Adopt the wall time. Returns by how many seconds; 0.0 if it differs by less."""
        jump = self._wall() - self()
        if abs(jump) < JUMP_MIN_S:
            return 0.0
        self._offset += jump
        return jump


def shift_deadlines(store: HomeStore, seconds: float) -> None:
    """Move the open deadlines of all active runs. Performed in one transaction."""
    store.forget_page_timers()
    for run_id in store.active_runs():
        if store.has_live_task(run_id):
            # A damaged run keeps its deadlines; `dyna doctor` names it.
            with suppress(DamagedItem):
                _shift_run(store, run_id, seconds)


def _shift_run(store: HomeStore, run_id: str, seconds: float) -> None:
    snapshot = store.read_run_snapshot(run_id)
    assert snapshot is not None, "active runs are stored"
    for page in snapshot.plan.pages:
        for index, fact in store.read_page(run_id, page).items():
            if fact.deadline is not None:
                moved = replace(
                    fact,
                    deadline=fact.deadline + seconds,
                    dispatched_at=fact.dispatched_at + seconds,
                    rev=fact.rev + 1,
                )
                store.write_task(run_id, index, moved, fact)
