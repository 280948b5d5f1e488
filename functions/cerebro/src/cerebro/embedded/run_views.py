"""Run views: the view of a run that is followed, made again only where something has happened.

Invariant: a view of a run that has ended is read whole. While it is live, a view is at most
`pause_s` behind the store: tasks that events name are read again, and all tasks now and then.
"""

import time
from dataclasses import dataclass, replace

from cerebro.core.model.run import Run, RunSnapshot
from cerebro.core.view_updates import ViewedRun, updated_run, viewed_run
from cerebro.embedded.run_facts import (
    RECENT_EVENTS,
    REREAD_ALL_S,
    REREAD_ALL_SHARE,
    REREAD_S,
    named_since,
)
from cerebro.embedded.runtime.session import HomeSession
from cerebro.embedded.storage.home import Home
from cerebro.handlers import queries
from cordyna_core.contract.views.runs import RunView
from cordyna_core.ports import Clock


@dataclass(frozen=True, slots=True)
class _Reading:
    """The last reading. `named`: when an event last named a task, by index."""

    viewed: ViewedRun
    named: dict[int, float]
    seq: int
    whole_at: float
    pause_s: float

    def is_outdated(self, run: Run, seq: int, now: float) -> bool:
        """Return whether all is read again.

        For safety, or because that takes less time than what is named.
        """
        tasks = len(self.viewed.snapshot.plan.tasks)
        return (
            run.is_over
            or self.viewed.run.status != run.status
            or now - self.whole_at > self.pause_s
            or seq - self.seq > max(tasks, RECENT_EVENTS)
        )


class RunViewReader:
    """Reads the view of one run again and again. `clock`: monotonic seconds."""

    def __init__(
        self, home: Home, session: HomeSession, run_id: str, clock: Clock = time.monotonic
    ) -> None:
        self._home, self._session, self._run_id, self._clock = home, session, run_id, clock
        self._last: _Reading | None = None

    def read(self) -> RunView:
        """Return the run with all its tasks. Raises NotFound."""
        now, last = self._clock(), self._last
        begin_s = time.thread_time()
        with self._session.read_transaction():
            run, snapshot = queries.read_run(self._home.store, self._run_id)
            seq = self._home.event_log.last_seq()
            is_whole = last is None or last.is_outdated(run, seq, now)
            named = self._named(snapshot, seq, now, is_whole=is_whole)
            facts = (
                queries.facts_of(self._home.store, snapshot)
                if is_whole
                else queries.facts_at(self._home.store, self._run_id, sorted(named))
            )
        # Outside of the lock: making a view takes longer than reading.
        if last is None or is_whole:
            viewed = viewed_run(run, snapshot, facts)
            cost_s = time.thread_time() - begin_s
            pause_s = max(REREAD_ALL_S, REREAD_ALL_SHARE * cost_s)
            self._last = _Reading(viewed, named, seq, whole_at=now, pause_s=pause_s)
        else:
            viewed = updated_run(last.viewed, run, facts)
            self._last = replace(last, viewed=viewed, named=named, seq=seq)
        return viewed.view

    def _named(
        self, snapshot: RunSnapshot, seq: int, now: float, *, is_whole: bool
    ) -> dict[int, float]:
        """Return the tasks that are read again: those that events named a short time ago."""
        last = self._last
        kept = {} if last is None else last.named
        since = 0 if last is None else last.seq
        if is_whole:
            kept, since = {}, max(since, seq - RECENT_EVENTS)
        recent = {index: at for index, at in kept.items() if now - at <= REREAD_S}
        return recent | named_since(self._home, self._run_id, snapshot, since, now)
