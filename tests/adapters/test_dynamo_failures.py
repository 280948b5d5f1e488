"""DynamoStore when DynamoDB answers with an error, or not at all."""

from typing import Any

import pytest
from botocore.exceptions import ClientError
from botocore.stub import Stubber

from adapters.deployed import Deployed, deployed, lose
from cerebro.adapters.aws.dynamodb_table import EMPTY_BATCHES_MAX, Table
from cerebro.core.model.plan import CachedResult
from cerebro.testing.examples import (
    NOW,
    RUN,
    a_declaration,
    a_fact,
    a_run,
    accept,
    invoked,
)
from cordyna_core.errors import Conflict, ServiceError

__all__ = ["deployed"]

pytestmark = pytest.mark.usefixtures("moto")


def test_head_whose_answer_was_lost_counts_as_written(deployed: Deployed) -> None:
    store = deployed.process()
    for tasks in ("x", "y"):
        seen = store.read_graph().head
        assert accept(store, a_declaration("server-a", tasks), seen=seen)
        assert accept(store, a_declaration("server-a", tasks), seen=seen)


def test_write_over_a_deleted_fact_is_a_conflict(deployed: Deployed) -> None:
    store = deployed.process()
    with pytest.raises(Conflict, match="no longer exists"):
        store.write_task(RUN, 0, a_fact(rev=2), a_fact())


def test_graph_with_a_missing_declaration_names_it(deployed: Deployed) -> None:
    accept(deployed.process(), a_declaration("server-a", "x"), a_declaration("server-b", "y"))
    lose(deployed, "GRAPH", "SERVER#server-b")
    with pytest.raises(ServiceError, match="does not hold: server-b"):
        deployed.process().read_graph()


def test_run_with_a_missing_plan_raises(deployed: Deployed) -> None:
    invoked(deployed.process(), a_run())
    lose(deployed, "PLAN", "0")
    with pytest.raises(ServiceError, match=f"the plan of run {RUN}"):
        deployed.process().read_run_snapshot(RUN)


def test_other_errors_of_dynamodb_are_raised(deployed: Deployed) -> None:
    with Stubber(deployed.dynamodb) as stub:
        stub.add_client_error("put_item", "ProvisionedThroughputExceededException")
        with pytest.raises(ClientError, match="ProvisionedThroughputExceeded"):
            deployed.process().write_cached_result("x", "made from", CachedResult(RUN, 0, NOW))


def test_unprocessed_keys_are_read_again(deployed: Deployed) -> None:
    table, slept = _slow_table(deployed)
    left = {deployed.table: {"Keys": [_key("b")], "ConsistentRead": True}}
    with Stubber(deployed.dynamodb) as stub:
        stub.add_response(
            "batch_get_item", {"Responses": {deployed.table: [_key("a")]}, "UnprocessedKeys": left}
        )
        stub.add_response(
            "batch_get_item", {"Responses": {}, "UnprocessedKeys": left}, {"RequestItems": left}
        )
        stub.add_response(
            "batch_get_item",
            {"Responses": {deployed.table: [_key("b")]}, "UnprocessedKeys": {}},
            {"RequestItems": left},
        )
        assert list(table.get_many([("a", "a"), ("b", "b")])) == [("a", "a"), ("b", "b")]
    assert slept == [0.1]


def test_batch_that_stays_unprocessed_raises(deployed: Deployed) -> None:
    table, slept = _slow_table(deployed)
    left = {deployed.table: {"Keys": [_key("b")], "ConsistentRead": True}}
    with Stubber(deployed.dynamodb) as stub:
        for _ in range(EMPTY_BATCHES_MAX):
            stub.add_response("batch_get_item", {"Responses": {}, "UnprocessedKeys": left})
        with pytest.raises(ServiceError, match="left 1 items unread"):
            table.get_many([("b", "b")])
    assert slept == [0.1, 0.2, 0.4, 0.8, 1.6]


def _slow_table(deployed: Deployed) -> tuple[Table, list[float]]:
    slept: list[float] = []
    return Table(deployed.dynamodb, deployed.table, slept.append), slept


def _key(name: str) -> dict[str, Any]:
    return {"pk": {"S": name}, "sk": {"S": name}}
