"""One deployed table, the stores of several processes, and the calls that they made."""

from collections.abc import Callable
from typing import Any

import pytest

from adapters.cloud import a_store, a_table, client
from cerebro.adapters.aws.dynamodb_store import DynamoStore
from cerebro.testing.examples import (
    NOW,
)


class Deployed:
    """One table, the stores of several processes, and the calls that they made."""

    def __init__(self) -> None:
        self.dynamodb = client("dynamodb")
        self.table = a_table(self.dynamodb)
        self.calls: list[str] = []
        self.written: list[str] = []
        self.dynamodb.meta.events.register(
            "before-call.dynamodb", lambda model, **_: self.calls.append(model.name)
        )
        self.dynamodb.meta.events.register("before-parameter-build.dynamodb", self._note_written)

    def process(self, now: float = NOW + 60, **fields: float) -> DynamoStore:
        return a_store(self.dynamodb, self.table, now=now, **fields)

    def _note_written(self, params: dict[str, Any], **_: object) -> None:
        key = params.get("Item") or params.get("Key")
        if key:
            self.written.append(key["pk"]["S"].partition("#")[0])

    def items(self) -> dict[tuple[str, str], dict[str, Any]]:
        items = self.dynamodb.scan(TableName=self.table)["Items"]
        return {(item["pk"]["S"], item["sk"]["S"]): item for item in items}

    def calls_of(self, action: Callable[[], object]) -> list[str]:
        before = len(self.calls)
        action()
        return self.calls[before:]


@pytest.fixture
def deployed() -> Deployed:
    return Deployed()


# Marks of a run.


def lose(deployed: Deployed, pk: str, sk: str, after: Callable[[], object] = lambda: None) -> None:
    """Delete the items whose keys contain these texts."""
    after()
    for item_pk, item_sk in deployed.items():
        if pk in item_pk and item_sk.startswith(sk):
            deployed.dynamodb.delete_item(
                TableName=deployed.table, Key={"pk": {"S": item_pk}, "sk": {"S": item_sk}}
            )
