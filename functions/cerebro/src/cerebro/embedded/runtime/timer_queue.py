"""Timer queue: the timers of one engine, the earliest first.

Invariant: the page timers of runs that have ended are dropped once they may be the most. They would
do nothing, but stay for as long as the run's clocks allow, a week perhaps.
"""

import heapq
import logging
from dataclasses import replace
from itertools import count
from typing import Final

from cerebro.core.incidents.notices import AnyIncidentTimer
from cerebro.core.internal_messages import PageTimer
from cerebro.embedded.storage.home import Home
from cordyna_core.contract.state_updates import RunStateChanged

_log = logging.getLogger("cordyna")

_ENDED_RUNS_MIN: Final = 64

AnyTimer = PageTimer | AnyIncidentTimer


class TimerQueue:
    """Timers by when they are due (UTC seconds)."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self._heap: list[tuple[float, int, AnyTimer]] = []
        self._tie_breaks = count()
        self._ended: set[str] = set()

    def __len__(self) -> int:
        return len(self._heap)

    def push(self, timer: AnyTimer) -> None:
        """Add a timer."""
        if isinstance(timer, PageTimer):
            self._ended.discard(timer.run_id)
        heapq.heappush(self._heap, (timer.due, next(self._tie_breaks), timer))

    def next_due(self) -> float | None:
        """Return when the next timer is due; None without a timer."""
        return self._heap[0][0] if self._heap else None

    def pop_due(self, now: float) -> AnyTimer | None:
        """Remove and return the next timer that is due, if any."""
        if not self._heap or self._heap[0][0] > now:
            return None
        return heapq.heappop(self._heap)[2]

    def note_state(self, message: RunStateChanged) -> None:
        """Drop the page timers of the run, and the notes of them, if it is over now."""
        if message.state in ("running", "failing"):
            return
        try:
            with self._home.reading():
                run = self._home.store.read_run(message.run_id)
            if run is not None and run.is_over:
                self._home.store.forget_page_timers(run.id)
                self.run_ended(run.id)
        except Exception:  # noqa: BLE001  it only saves memory: the timers stay until they are due
            _log.debug("the timers of run %s are kept", message.run_id, exc_info=True)

    def run_ended(self, run_id: str) -> None:
        """The page timers of a run do nothing any more, until another is pushed for it."""
        self._ended.add(run_id)
        if len(self._ended) >= _ENDED_RUNS_MIN and 2 * len(self._ended) >= len(self._heap):
            self._heap = [entry for entry in self._heap if not self._is_of_ended(entry[2])]
            heapq.heapify(self._heap)
            self._ended.clear()

    def shift(self, seconds: float) -> None:
        """The wall clock was set: move page timers, which keep intervals.

        Incident timers stay as they are stored, and as people read them.
        """
        self._heap = [
            (due + seconds, number, replace(timer, due=timer.due + seconds))
            if isinstance(timer, PageTimer)
            else (due, number, timer)
            for due, number, timer in self._heap
        ]
        heapq.heapify(self._heap)

    def _is_of_ended(self, timer: AnyTimer) -> bool:
        return isinstance(timer, PageTimer) and timer.run_id in self._ended
