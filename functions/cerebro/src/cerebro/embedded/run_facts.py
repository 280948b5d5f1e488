"""Run facts: what changes of a run, read again only where something has happened since.

Invariant: a reading is at most `_Reading.pause_s` behind the store. An event may pass the bus a
moment before its fact is written, so a task that an event named is read again for `REREAD_S`.
"""

import re
import secrets
import time
from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Final

from cerebro.adapters.lru_cache import LruCache
from cerebro.core.fact_readings import FactReading, fact_reading, updated_reading
from cerebro.core.fact_views import run_facts
from cerebro.core.model.run import Run, RunSnapshot
from cerebro.core.model.task_run import TaskRun
from cerebro.embedded.runtime.session import HomeSession
from cerebro.embedded.storage.home import Home
from cerebro.handlers import fact_queries, queries
from cerebro.ports import Store
from cordyna_core.contract.views.facts import FactColumns, RunFacts, RunStructure, TaskRunFacts
from cordyna_core.ports import Clock

REREAD_S: Final = 1.0
REREAD_ALL_S: Final = 5.0
REREAD_ALL_SHARE: Final = 100
"""Reading all facts again takes at most one hundredth of the time."""

RECENT_EVENTS: Final = 200
"""The facts of the newest events may not be written yet when everything is read."""

RUNS_KEPT: Final = 50

_NAMED: Final = re.compile(r'"task":\s*"([A-Za-z0-9][A-Za-z0-9._-]*)"')


@dataclass(frozen=True, slots=True, kw_only=True)
class _Reading:
    """The last reading of a run, and the view of it. `named`: when an event last named a task."""

    of_facts: FactReading
    view: RunFacts
    named: dict[int, float]
    seq: int
    whole_at: float
    pause_s: float

    def is_outdated(self, run: Run, seq: int, now: float) -> bool:
        """Return whether all is read again.

        For safety, or because that takes less time than what is named.
        """
        return (
            self.of_facts.run.status != run.status
            or now - self.whole_at > self.pause_s
            or seq - self.seq > max(self.of_facts.snapshot.plan.size, RECENT_EVENTS)
        )


@dataclass(frozen=True, slots=True)
class _Read:
    """What was read of a run: the facts that `continues` may lack; of None: all facts."""

    run: Run
    snapshot: RunSnapshot
    facts: dict[int, TaskRun]
    named: dict[int, float]
    seq: int
    at: float
    cost_s: float
    continues: _Reading | None


class RunFactReader:
    """Reads structure and facts of a home's runs. `clock`: monotonic seconds."""

    def __init__(self, home: Home, session: HomeSession, clock: Clock = time.monotonic) -> None:
        self._home, self._session, self._clock = home, session, clock
        self._epoch = secrets.token_hex(4)
        self._readings: LruCache[str, _Reading] = LruCache(RUNS_KEPT)

    def structure(self, run_id: str) -> RunStructure:
        """Return what never changes about a run. Raises NotFound."""
        with self._session.read_transaction():
            return fact_queries.structure(self._home.store, run_id)

    def task_run(self, run_id: str, task: str) -> TaskRunFacts:
        """Return one task run. Raises NotFound."""
        with self._session.read_transaction():
            return fact_queries.task_run(self._home.store, run_id, task)

    def facts(self, run_id: str, since: str | None) -> RunFacts:
        """Return all facts, or those that changed after the cursor `since`. Raises NotFound."""
        last = self._readings.get(run_id)
        read = self._read(run_id, last)
        cursor = f"{self._epoch}.{read.seq}.{read.at:.3f}"
        # Outside of the lock: making a view takes longer than reading.
        if last is None:
            of_facts = fact_reading(read.run, read.snapshot, read.facts)
            view = run_facts(of_facts, cursor=cursor)
        else:
            of_facts, changed = updated_reading(last.of_facts, read.run, read.facts)
            if since != last.view.cursor:
                view = run_facts(of_facts, cursor=cursor)
            elif changed or last.of_facts.run.version != read.run.version:
                view = run_facts(of_facts, cursor=cursor, changed=changed)
            else:
                view = last.view.model_copy(update={"columns": FactColumns(), "words": []})
        reading = _Reading(
            of_facts=of_facts,
            view=view,
            named=read.named,
            seq=read.seq,
            whole_at=read.at if read.continues is None else read.continues.whole_at,
            pause_s=(
                max(REREAD_ALL_S, REREAD_ALL_SHARE * read.cost_s)
                if read.continues is None
                else read.continues.pause_s
            ),
        )
        self._readings.put(run_id, reading)
        return view

    def _read(self, run_id: str, last: _Reading | None) -> _Read:
        """Read all facts, or those that may have changed since `last`. Raises NotFound."""
        now, begin_s = self._clock(), time.thread_time()
        home, store = self._home, self._home.store
        with self._session.read_transaction():
            run, snapshot = queries.read_run(store, run_id)
            seq = home.event_log.last_seq()
            if last is None or last.is_outdated(run, seq, now):
                after = max(0 if last is None else last.seq, seq - RECENT_EVENTS)
                named = named_since(home, run_id, snapshot, after, now)
                continues, facts = None, _read_all(store, snapshot)
            else:
                named = {index: at for index, at in last.named.items() if now - at <= REREAD_S}
                named |= named_since(home, run_id, snapshot, last.seq, now)
                continues, facts = last, _read_some(store, run_id, named)
        cost_s = time.thread_time() - begin_s
        return _Read(run, snapshot, facts, named, seq, now, cost_s, continues)


def _read_all(store: Store, snapshot: RunSnapshot) -> dict[int, TaskRun]:
    return {
        index: _without_output(fact)
        for page in snapshot.plan.pages
        for index, fact in store.read_page(snapshot.run.id, page).items()
    }


def _read_some(store: Store, run_id: str, indexes: Collection[int]) -> dict[int, TaskRun]:
    read = store.read_tasks(run_id, sorted(indexes)) if indexes else {}
    return {index: _without_output(fact) for index, fact in read.items()}


def named_since(
    home: Home, run_id: str, snapshot: RunSnapshot, seq: int, now: float
) -> dict[int, float]:
    """Return the tasks that events after the number `seq` name, by index, each with `now`."""
    index_of = snapshot.plan.index_of
    named: dict[int, float] = {}
    for text in home.event_log.texts_of(run_id, seq):
        for name in _NAMED.findall(text):
            if name in index_of:
                named[index_of[name]] = now
    return named


def _without_output(fact: TaskRun) -> TaskRun:
    """Outputs are not part of the facts' view, and 10,000 of them are not kept in memory."""
    return fact if fact.output is None else replace(fact, output=None)
