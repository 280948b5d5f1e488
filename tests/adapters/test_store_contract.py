"""The Store contract, on every adapter."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from adapters.cloud import ENDPOINT, a_store, a_table, client
from cerebro.adapters.memory import MemoryStore
from cerebro.adapters.sqlite.database import SqliteFile
from cerebro.adapters.sqlite.store import SqliteStore
from cerebro.ports import Store
from cerebro.testing.store_contract import StoreContract


class TestMemoryStore(StoreContract):
    def two_stores(self) -> tuple[Store, Store]:
        store = MemoryStore()
        return store, store


class TestSqliteStore(StoreContract):
    @pytest.fixture(autouse=True)
    def _files(self, tmp_path: Path) -> Iterator[None]:
        self.files = [SqliteFile(tmp_path / "cordyna.db") for _ in range(2)]
        for file in self.files:
            file.db.execute("pragma synchronous=off")
        yield
        for file in self.files:
            file.db.close()

    def two_stores(self) -> tuple[Store, Store]:
        one, other = map(SqliteStore, self.files)
        return one, other


class TestDynamoStore(StoreContract):
    pytestmark = pytest.mark.usefixtures("moto")

    def two_stores(self) -> tuple[Store, Store]:
        dynamodb = client("dynamodb")
        table = a_table(dynamodb)
        return a_store(dynamodb, table), a_store(dynamodb, table)


@pytest.mark.cloud
class TestDynamoStoreOnAnEmulator(StoreContract):
    __test__ = ENDPOINT is not None

    def two_stores(self) -> tuple[Store, Store]:
        dynamodb = client("dynamodb", ENDPOINT)
        table = a_table(dynamodb)
        return a_store(dynamodb, table), a_store(dynamodb, table)
