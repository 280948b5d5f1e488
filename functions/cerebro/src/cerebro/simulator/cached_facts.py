"""Cached facts: a store that answers completed facts from a cache, as the store on AWS may.

Invariant: a fact that has to be fresh is read from the store.
"""

from collections.abc import Sequence
from typing import Any

from cerebro.adapters.memory import MemoryStore
from cerebro.core.model import TaskRun


class CachedFacts:
    """Implements the Store port; one cache for all handlers makes answers as stale as they can be.

    What is not about facts is read and written as it is.
    """

    def __init__(self, store: MemoryStore) -> None:
        self._store = store
        self._completed: dict[tuple[str, int], TaskRun] = {}

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
            elif index in facts and facts[index].is_completed:
                self._completed[run_id, index] = facts[index]
        return facts
