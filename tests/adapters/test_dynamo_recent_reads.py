"""Reads that may show the table as it was a moment ago: which they are, and that none is missed."""

from typing import Any

import pytest

from adapters.cloud import never_sleep
from adapters.deployed import Deployed, deployed
from cerebro.adapters.aws.dynamodb_run_marks import SHARDS
from cerebro.adapters.aws.dynamodb_store import DynamoStore
from cerebro.testing.examples import NOW, RUN, a_fact, a_run, invoked

__all__ = ["deployed"]

pytestmark = pytest.mark.usefixtures("moto")


class LaggingDynamoDB:
    """A DynamoDB whose eventually consistent reads show an empty table.

    `consistent`: for each read, whether it was strongly consistent.
    """

    def __init__(self, dynamodb: Any) -> None:
        self._dynamodb = dynamodb
        self.consistent: list[bool] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._dynamodb, name)

    def get_item(self, **request: Any) -> Any:
        self.consistent.append(request["ConsistentRead"])
        return self._dynamodb.get_item(**request) if request["ConsistentRead"] else {}

    def batch_get_item(self, RequestItems: dict[str, Any]) -> Any:  # noqa: N803  boto3's name
        ((table, wanted),) = RequestItems.items()
        self.consistent.append(wanted["ConsistentRead"])
        if not wanted["ConsistentRead"]:
            return {"Responses": {table: []}, "UnprocessedKeys": {}}
        return self._dynamodb.batch_get_item(RequestItems=RequestItems)

    def query(self, **request: Any) -> Any:
        self.consistent.append(request["ConsistentRead"])
        return self._dynamodb.query(**request) if request["ConsistentRead"] else {"Items": []}


class Lagging:
    """A process whose replica is behind, on a table with a run, a fact and an output."""

    def __init__(self, deployed: Deployed) -> None:
        other = deployed.process()
        invoked(other, a_run())
        other.write_task(RUN, 0, a_fact(), None)
        other.write_output(RUN, 0, "ref", {"rows": 3})
        self.dynamodb = LaggingDynamoDB(deployed.dynamodb)
        self.store = DynamoStore(
            self.dynamodb,  # type: ignore[arg-type]
            deployed.table,
            clock=lambda: NOW + 60,
            sleep=never_sleep,
            retention_days=90,
        )


def swept(store: DynamoStore) -> list[str]:
    """The runs that a sweep finds among those listed since the sweep before."""
    return [run for shard in range(SHARDS) for run, _ in store.new_active_pages(shard)]


@pytest.fixture
def lagging(deployed: Deployed) -> Lagging:
    return Lagging(deployed)


def test_recent_fact_and_run_are_read_at_half_price(lagging: Lagging) -> None:
    assert lagging.store.read_recent_task(RUN, 0) is None
    assert lagging.store.read_recent_run(RUN) is None
    assert lagging.dynamodb.consistent == [False, False]


def test_fact_run_and_page_are_never_behind(lagging: Lagging) -> None:
    assert lagging.store.read_task(RUN, 0) == a_fact()
    assert lagging.store.read_task(RUN, 0, fresh=True) == a_fact()
    assert lagging.store.read_tasks(RUN, [0]) == {0: a_fact()}
    assert lagging.store.read_run(RUN) == a_run()
    assert all(lagging.dynamodb.consistent)


def test_snapshot_that_is_not_seen_yet_is_read_again(lagging: Lagging) -> None:
    snapshot = lagging.store.read_run_snapshot(RUN)
    assert snapshot is not None
    assert snapshot.run == a_run()
    assert lagging.dynamodb.consistent == [False, True, True], "run, run, plan"


def test_output_that_is_not_seen_yet_is_read_again(lagging: Lagging) -> None:
    assert lagging.store.read_outputs(RUN, {0: "ref"}) == {0: {"rows": 3}}
    assert lagging.dynamodb.consistent == [False, True]


def test_output_that_is_not_stored_is_left_out(lagging: Lagging) -> None:
    assert lagging.store.read_outputs(RUN, {0: "another"}) == {}


def test_output_that_is_seen_is_one_read(deployed: Deployed) -> None:
    store = deployed.process()
    invoked(store, a_run())
    store.write_output(RUN, 0, "ref", 1)
    assert deployed.calls_of(lambda: store.read_outputs(RUN, {0: "ref"})) == ["BatchGetItem"]


def test_unseen_timer_of_a_page_counts_as_missing(lagging: Lagging, deployed: Deployed) -> None:
    deployed.process().write_page_timer(RUN, 0, NOW + 70, NOW)
    assert deployed.process().has_page_timer(RUN, 0, NOW, NOW + 80)
    assert not lagging.store.has_page_timer(RUN, 0, NOW, NOW + 80)


def test_new_run_that_a_sweep_does_not_see_is_for_the_next(
    lagging: Lagging, deployed: Deployed
) -> None:
    """It was listed within WRITTEN_WITHIN_S, so the next sweep reads it again."""
    assert swept(lagging.store) == []
    assert swept(deployed.process()) == [RUN]


def test_lists_show_what_was_just_written(lagging: Lagging) -> None:
    assert lagging.store.read_page(RUN, 0) == {0: a_fact()}
    assert [run.id for run in lagging.store.runs(10)] == [RUN]
    assert lagging.store.active_runs() == [RUN]


def test_marked_run_that_is_not_seen_yet_is_swept(lagging: Lagging, deployed: Deployed) -> None:
    swept(deployed.process(now=NOW + 900))
    marked = [run for shard in range(SHARDS) for run, _ in lagging.store.active_pages(shard)]
    assert marked == [RUN]
