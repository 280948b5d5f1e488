"""Store laws: what every Store keeps, as tests that a test runner collects from a subclass.

class TestMemoryStore(StoreContract):
    def two_stores(self) -> tuple[Store, Store]:
        store = MemoryStore()
        return store, store
"""

from cerebro.testing.graph_contract import GraphContract
from cerebro.testing.run_contract import RunContract
from cerebro.testing.task_contract import TaskContract


class StoreContract(GraphContract, RunContract, TaskContract):
    """All laws of the Store port."""
