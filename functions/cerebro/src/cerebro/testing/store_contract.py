"""Contract tests of Store, which a test runner collects from a subclass.

class TestMemoryStore(StoreContract):
    def two_stores(self) -> tuple[Store, Store]:
        store = MemoryStore()
        return store, store
"""

from cerebro.testing.graph_contract import GraphContract
from cerebro.testing.incident_contract import IncidentContract
from cerebro.testing.run_contract import RunContract
from cerebro.testing.task_contract import TaskContract


class StoreContract(GraphContract, RunContract, TaskContract, IncidentContract):
    """All contract tests of the Store port."""
