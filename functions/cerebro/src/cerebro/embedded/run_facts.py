"""Run facts: what changes of a run, read again only where something has happened since.

Invariant: a reading is at most `_Reading.pause_s` behind the store. An event may pass the bus a
moment before its fact is written, so a task that an event named is read again for `REREAD_S`.
"""

import re
import secrets
import time
from dataclasses import dataclass, field, replace
from typing import Final

from cerebro.adapters.lru_cache import LruCache
from cerebro.core.fact_views import run_facts
from cerebro.core.model import Run, RunSnapshot, TaskRun
from cerebro.embedded.runtime.session import HomeSession
from cerebro.embedded.storage.home import Home
from cerebro.handlers import fact_queries
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


@dataclass(slots=True)
class _Reading:
    """The last reading of a run. `named`: when an event last named a task, by index."""

    facts: dict[int, TaskRun]
    run: Run
    seq: int
    whole_at: float
    named: dict[int, float] = field(default_factory=dict)
    view: RunFacts | None = None
    pause_s: float = REREAD_ALL_S

    def is_outdated(self, run: Run, tasks: int, seq: int, now: float) -> bool:
        """Whether all is read again: for safety, or because that takes less than what is named."""
        return (
            self.run.status != run.status
            or now - self.whole_at > self.pause_s
            or seq - self.seq > max(tasks, RECENT_EVENTS)
        )


class RunFactReader:
    """Reads structure and facts of a home's runs. `clock`: monotonic seconds."""

    def __init__(self, home: Home, session: HomeSession, clock: Clock = time.monotonic) -> None:
        self._home, self._session, self._clock = home, session, clock
        self._epoch = secrets.token_hex(4)
        self._readings: LruCache[str, _Reading] = LruCache(RUNS_KEPT)

    def structure(self, run_id: str) -> RunStructure:
        """What never changes about a run. Raises NotFound."""
        with self._session.read_transaction():
            return fact_queries.structure(self._home.store, run_id)

    def task_run(self, run_id: str, task: str) -> TaskRunFacts:
        """One task run. Raises NotFound."""
        with self._session.read_transaction():
            return fact_queries.task_run(self._home.store, run_id, task)

    def facts(self, run_id: str, since: str | None) -> RunFacts:
        """All facts, or those that changed after the cursor `since`. Raises NotFound."""
        now = self._clock()
        with self._session.read_transaction():
            run, snapshot = fact_queries.read_run(self._home.store, run_id)
            seq = self._home.event_log.last_seq()
            last = self._readings.get(run_id)
            if last is None or last.is_outdated(run, len(snapshot.plan.tasks), seq, now):
                begin = time.thread_time()
                recent = max(seq - RECENT_EVENTS, 0 if last is None else last.seq)
                named = named_since(self._home, run_id, snapshot, recent, now)
                reading = _Reading(self._read_all(snapshot), run, seq, whole_at=now, named=named)
                cost = time.thread_time() - begin
                reading.pause_s = max(REREAD_ALL_S, REREAD_ALL_SHARE * cost)
                changed = None
            else:
                named = {index: at for index, at in last.named.items() if now - at <= REREAD_S}
                named |= named_since(self._home, run_id, snapshot, last.seq, now)
                facts = _reread(self._home.store, run_id, last, named)
                reading = _Reading(facts, run, seq, last.whole_at, named)
                reading.pause_s = last.pause_s
                changed = set(named)
        # Outside of the lock: making a view takes longer than reading.
        if last is None or last.view is None or since != last.view.cursor:
            changed = None
        elif changed == set() and last.run.version == run.version:
            last.seq = seq
            return last.view.model_copy(update={"columns": FactColumns(), "words": []})
        cursor = f"{self._epoch}.{seq}.{now:.3f}"
        reading.view = run_facts(run, snapshot, reading.facts, cursor=cursor, changed=changed)
        self._readings.put(run_id, reading)
        return reading.view

    def _read_all(self, snapshot: RunSnapshot) -> dict[int, TaskRun]:
        return {
            index: _without_output(fact)
            for page in snapshot.plan.pages
            for index, fact in self._home.store.read_page(snapshot.run.id, page).items()
        }


def named_since(
    home: Home, run_id: str, snapshot: RunSnapshot, seq: int, now: float
) -> dict[int, float]:
    """The tasks that events after the number `seq` name, by index, each with `now`."""
    index_of = snapshot.plan.index_of
    named: dict[int, float] = {}
    for event in home.event_log.events(run_id, seq):
        for name in _NAMED.findall(event.text):
            if name in index_of:
                named[index_of[name]] = now
    return named


def _reread(
    store: Store, run_id: str, last: _Reading, named: dict[int, float]
) -> dict[int, TaskRun]:
    read = store.read_tasks(run_id, sorted(named)) if named else {}
    return {**last.facts, **{index: _without_output(fact) for index, fact in read.items()}}


def _without_output(fact: TaskRun) -> TaskRun:
    """Outputs are not part of the facts' view, and 10,000 of them are not kept in memory."""
    return fact if fact.output is None else replace(fact, output=None)
