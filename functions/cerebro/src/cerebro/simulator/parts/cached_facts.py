"""Cached facts: a store that answers from caches and replicas, as the store on AWS may.

A completed fact comes from a cache, which no fresh read renews: each process has one of its own. A
recent run or fact is any version of it that was ever stored, or none, in turn. So answers are as
stale as they can be.

Invariant: a fact that has to be fresh is read from the store.
"""

from collections.abc import Sequence
from itertools import count
from typing import Any, TypeVar

from cerebro.adapters.memory import MemoryStore
from cerebro.core.model.run import Run
from cerebro.core.model.task_run import TaskRun

_Stored = TypeVar("_Stored", Run, TaskRun)


class CachedFacts:
    """Implements the Store port; one cache for all handlers.

    What is not about runs and facts is read and written as it is.
    """

    def __init__(self, store: MemoryStore) -> None:
        self._store = store
        self._completed: dict[tuple[str, int], TaskRun] = {}
        self._facts: dict[tuple[str, int], list[TaskRun]] = {}
        self._runs: dict[str, list[Run]] = {}
        self._turns = count()

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._store, name)
        setattr(self, name, method)  # the next call finds it at once
        return method

    def read_task(self, run_id: str, index: int, *, fresh: bool = False) -> TaskRun | None:
        return self.read_tasks(run_id, (index,), fresh=fresh).get(index)

    def read_tasks(
        self, run_id: str, indexes: Sequence[int], *, fresh: bool = False
    ) -> dict[int, TaskRun]:
        facts = self._store.read_tasks(run_id, indexes)
        for index in indexes:
            if not fresh and (run_id, index) in self._completed:
                facts[index] = self._completed[run_id, index]
            elif not fresh and index in facts and facts[index].is_completed:
                self._completed[run_id, index] = facts[index]
        return facts

    def write_task(
        self, run_id: str, index: int, new: TaskRun, seen: TaskRun | None
    ) -> TaskRun | None:
        stored = self._store.write_task(run_id, index, new, seen)
        if stored is None:
            self._facts.setdefault((run_id, index), []).append(new)
        return stored

    def write_run(self, new: Run, seen: Run | None) -> Run | None:
        stored = self._store.write_run(new, seen)
        if stored is None:
            self._runs.setdefault(new.id, []).append(new)
        return stored

    def read_recent_task(self, run_id: str, index: int) -> TaskRun | None:
        return self._any_of(self._facts.get((run_id, index), ()))

    def read_recent_run(self, run_id: str) -> Run | None:
        return self._any_of(self._runs.get(run_id, ()))

    def _any_of(self, versions: Sequence[_Stored]) -> _Stored | None:
        turn = next(self._turns) % (len(versions) + 1)
        return versions[-1 - turn] if turn < len(versions) else None
