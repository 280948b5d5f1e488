"""Store laws: what every Store keeps, as tests that a test runner collects from a subclass.

class TestMemoryStore(StoreLaws):
    def two_stores(self) -> tuple[Store, Store]:
        store = MemoryStore()
        return store, store
"""

from cerebro.testing.graph_laws import GraphLaws
from cerebro.testing.run_laws import RunLaws
from cerebro.testing.task_laws import TaskLaws


class StoreLaws(GraphLaws, RunLaws, TaskLaws):
    """All laws of the Store port."""
