"""DynamoStore beyond the Store contract: marks of runs, expiry, caches, and failures."""

from datetime import UTC, datetime

import pytest

from adapters.cloud import never_sleep
from adapters.deployed import Deployed, deployed, lose
from cerebro.adapters.aws.dynamodb_run_marks import DAY_S, SHARDS
from cerebro.adapters.aws.dynamodb_runs import longest_s
from cerebro.adapters.aws.dynamodb_store import DynamoStore
from cerebro.adapters.aws.dynamodb_table import Table
from cerebro.core.model.plan import Plan, PlannedTask
from cerebro.core.model.task_run import Rank
from cerebro.testing.examples import (
    NOW,
    OTHER,
    RUN,
    a_declaration,
    a_fact,
    a_plan,
    a_run,
    accept,
    invoked,
)
from cordyna_core.contract.ids import derived_id

__all__ = ["deployed"]

pytestmark = pytest.mark.usefixtures("moto")


def swept(store: DynamoStore) -> list[str]:
    """The runs that the first sweep marks."""
    return [run for shard in range(SHARDS) for run, _ in store.new_active_pages(shard)]


def test_duplicate_command_lists_the_run_once(deployed: Deployed) -> None:
    store = deployed.process()
    invoked(store, a_run())
    store.write_run(a_run("between", created_at=NOW + 1), None)
    store.write_run(a_run(created_at=NOW + 3), None)
    assert [(run.id, run.created_at) for run in store.runs(10)] == [
        ("between", NOW + 1),
        (RUN, NOW),
    ]


def test_run_of_a_clock_that_is_in_the_next_month_is_listed(deployed: Deployed) -> None:
    next_month = datetime(2026, 10, 1, tzinfo=UTC).timestamp()
    invoked(deployed.process(now=next_month + 1), a_run(created_at=next_month + 1))
    assert [run.id for run in deployed.process(now=next_month - 1).runs(10)] == [RUN]


def test_runs_of_all_shards_are_listed_newest_first(deployed: Deployed) -> None:
    store = deployed.process()
    store.write_plan(a_plan())
    ids = [derived_id("run", number) for number in range(20)]
    for number, run_id in enumerate(ids):
        store.write_run(a_run(run_id, created_at=NOW + number), None)
    partitions = {pk for pk, _ in deployed.items() if pk.startswith("RUNS#")}
    assert len(partitions) > 2
    assert [run.id for run in store.runs(5)] == ids[:-6:-1]


def test_runs_of_several_requests_are_as_many_as_asked_for(deployed: Deployed) -> None:
    store = deployed.process()
    store.write_plan(a_plan())
    for number in range(130):
        store.write_run(a_run(f"run-{number:03}", created_at=NOW + number), None)
    assert [run.id for run in store.runs(110)] == [f"run-{n:03}" for n in range(129, 19, -1)]


def test_run_is_listed_until_it_expires(deployed: Deployed) -> None:
    invoked(deployed.process(), a_run())
    for day in range(0, 90, 10):
        assert [run.id for run in deployed.process(now=NOW + day * DAY_S).runs(10)] == [RUN]


@pytest.mark.parametrize("items", [1, 2, 3, 7])
def test_partition_of_several_pages_is_read_as_a_whole(deployed: Deployed, items: int) -> None:
    table = Table(deployed.dynamodb, deployed.table, never_sleep)
    for number in range(items):
        table.put({"pk": "P", "sk": str(number)})
    numbers = [item["sk"] for item in table.query("P", page=2)]
    assert numbers == [str(number) for number in range(items)]
    assert [*table.query("P", page=2, backwards=True)] == [*table.query("P")][::-1]


def test_marks_from_before_the_shards_are_listed(deployed: Deployed) -> None:
    store = deployed.process()
    invoked(store, a_run())
    ((pk, sk),) = [key for key in deployed.items() if key[0].startswith("RUNS#")]
    item = deployed.items()[pk, sk] | {"pk": {"S": pk.rpartition("#")[0]}}
    deployed.dynamodb.put_item(TableName=deployed.table, Item=item)
    lose(deployed, pk, sk)
    assert [run.id for run in deployed.process().runs(10)] == [RUN]


def test_signs_of_life_from_before_the_shards_are_read(deployed: Deployed) -> None:
    store = deployed.process()
    for name, at in (("server-a", NOW), ("server-b", NOW)):
        store.note_server(name, "ready", at)
        ((pk, sk),) = [key for key in deployed.items() if key[1] == name]
        item = deployed.items()[pk, sk] | {"pk": {"S": "SERVERS"}}
        deployed.dynamodb.put_item(TableName=deployed.table, Item=item)
    lose(deployed, "SERVERS#", "server-b")
    deployed.process().note_server("server-a", "draining", NOW + 70)
    assert [(seen.server, seen.state) for seen in store.servers()] == [
        ("server-a", "draining"),
        ("server-b", "ready"),
    ]


# Expiry.


def test_run_expires_as_a_whole_and_the_graph_never(deployed: Deployed) -> None:
    store = deployed.process()
    accept(store, a_declaration("server-a", "x"))
    store.note_server("server-a", "ready", NOW)
    store.write_tick("x", NOW)
    invoked(store, a_run())
    store.write_task(RUN, 0, a_fact(), None)
    store.write_output(RUN, 0, "ref-1", "apart")
    store.write_page_timer(RUN, 0, NOW + 10, NOW)
    assert swept(store) == [RUN]
    expiry = {
        pk.partition("#")[0]: item.get("expires_at", {}).get("N")
        for (pk, _), item in deployed.items().items()
    }
    moment = str(int(NOW + 90 * DAY_S + longest_s(a_plan())))
    assert {kind: expiry[kind] for kind in ("GRAPH", "SERVERS", "TICK")} == {
        "GRAPH": None,
        "SERVERS": None,
        "TICK": None,
    }
    assert {kind: expiry[kind] for kind in ("RUN", "ACTIVE", "RUNS")} == {
        "RUN": moment,
        "ACTIVE": moment,
        "RUNS": moment,
    }
    assert int(expiry["PLAN"] or 0) > int(moment)
    assert {
        item["expires_at"]["N"]
        for (pk, _), item in deployed.items().items()
        if pk.startswith("RUN#")
    } == {moment}


def test_expired_run_is_unknown_while_items_remain(deployed: Deployed) -> None:
    invoked(deployed.process(), a_run())
    late = deployed.process(now=NOW + 90 * DAY_S + longest_s(a_plan()))
    assert (late.read_run(RUN), late.read_run_snapshot(RUN), late.active_runs(), late.runs(10)) == (
        None,
        None,
        [],
        [],
    )


def test_run_is_known_for_its_longest_duration(deployed: Deployed) -> None:
    slow = Plan((PlannedTask(name="x", server="server-a", run_timeout_s=365 * 24 * 3600),))
    store = deployed.process()
    store.write_plan(slow)
    store.write_run(a_run(plan_id=slow.id), None)
    assert swept(store) == [RUN]
    assert deployed.process(now=NOW + 366 * DAY_S).active_runs() == [RUN]
    expiry = {
        pk.partition("#")[0]: float(item["expires_at"]["N"])
        for (pk, _), item in deployed.items().items()
        if "expires_at" in item
    }
    assert expiry["PLAN"] > expiry["RUN"], "DynamoDB may delete it from then on"


def test_longest_s_follows_the_longest_path() -> None:
    one = PlannedTask(name="x", server="a", ack_timeout_s=1, start_timeout_s=2, run_timeout_s=3)
    again = PlannedTask(
        name="y",
        server="a",
        ack_timeout_s=1,
        start_timeout_s=2,
        run_timeout_s=3,
        retries=1,
        awaits=(0,),
    )
    assert longest_s(Plan((one, one, again))) == 606 + 2 * 606


# Caches.


def test_plan_invoked_repeatedly_is_written_once(deployed: Deployed) -> None:
    store = deployed.process()
    assert deployed.calls_of(lambda: store.write_plan(a_plan())) == ["PutItem"]
    assert deployed.calls_of(lambda: store.write_plan(a_plan())) == []


def test_plan_is_rewritten_before_it_could_expire(deployed: Deployed) -> None:
    times = iter([NOW, NOW + DAY_S - 1, NOW + DAY_S + 1])
    store = DynamoStore(
        deployed.dynamodb,
        deployed.table,
        clock=lambda: next(times),
        sleep=never_sleep,
        retention_days=1,
    )
    assert [len(deployed.calls_of(lambda: store.write_plan(a_plan()))) for _ in range(3)] == [
        1,
        0,
        1,
    ]


def test_plan_that_was_only_read_is_written_on_invocation(deployed: Deployed) -> None:
    invoked(deployed.process(), a_run())
    store = deployed.process()
    store.read_run_snapshot(RUN)
    assert deployed.calls_of(lambda: store.write_plan(a_plan())) == ["PutItem"]


def test_snapshot_reads_each_plan_once(deployed: Deployed) -> None:
    invoked(deployed.process(), a_run())
    invoked(deployed.process(), a_run(OTHER))
    store = deployed.process()
    assert deployed.calls_of(lambda: store.read_run_snapshot(RUN)) == ["GetItem", "BatchGetItem"]
    assert deployed.calls_of(lambda: store.read_run_snapshot(OTHER)) == ["GetItem"]
    assert deployed.calls_of(lambda: store.read_run_snapshot(RUN)) == []


def test_fact_of_a_known_run_is_one_call(deployed: Deployed) -> None:
    store = deployed.process()
    invoked(store, a_run())
    assert deployed.calls_of(lambda: store.write_task(RUN, 0, a_fact(), None)) == ["PutItem"]
    assert deployed.calls_of(lambda: store.write_task(RUN, 0, a_fact(cause="other"), None)) == [
        "PutItem"
    ]
    assert deployed.calls_of(lambda: store.read_task(RUN, 0)) == ["GetItem"]


def test_only_completed_facts_are_cached(deployed: Deployed) -> None:
    one, other = deployed.process(), deployed.process()
    one.write_task(RUN, 0, a_fact(Rank.COMPLETED, deadline=None), None)
    one.write_task(RUN, 1, a_fact(Rank.ERROR, deadline=None), None)
    assert deployed.calls_of(lambda: one.read_task(RUN, 0)) == []
    assert deployed.calls_of(lambda: one.read_task(RUN, 1)) == ["GetItem"]
    assert deployed.calls_of(lambda: other.read_tasks(RUN, [0, 1])) == ["BatchGetItem"]
    assert deployed.calls_of(lambda: other.read_tasks(RUN, [0])) == []
    assert deployed.calls_of(lambda: other.read_tasks(RUN, [0, 1])) == ["BatchGetItem"]


def test_unchanged_graph_is_one_read(deployed: Deployed) -> None:
    accept(deployed.process(), a_declaration("server-a", "x"), a_declaration("server-b", "y"))
    store = deployed.process()
    assert deployed.calls_of(store.read_graph) == ["GetItem", "BatchGetItem"]
    assert deployed.calls_of(store.read_graph) == ["GetItem"]


def test_page_timer_known_to_be_sent_is_not_read(deployed: Deployed) -> None:
    invoked(deployed.process(), a_run())
    one, other = deployed.process(), deployed.process()
    for store in (one, other):
        store.read_run_snapshot(RUN)
    assert deployed.calls_of(lambda: one.write_page_timer(RUN, 0, NOW + 10, NOW)) == ["UpdateItem"]
    assert deployed.calls_of(lambda: one.has_page_timer(RUN, 0, NOW, NOW + 600)) == []
    assert deployed.calls_of(lambda: other.has_page_timer(RUN, 0, NOW, NOW + 600)) == ["GetItem"]
    assert deployed.calls_of(lambda: other.has_page_timer(RUN, 0, NOW + 1, NOW + 600)) == []
    assert deployed.calls_of(lambda: other.has_page_timer(RUN, 0, NOW + 11, NOW + 600)) == [
        "GetItem"
    ]


def test_write_page_timer_caches_the_stored_one(deployed: Deployed) -> None:
    one, other = deployed.process(), deployed.process()
    one.write_page_timer(RUN, 0, NOW + 10, NOW)
    other.write_page_timer(RUN, 0, NOW + 600, NOW)
    assert deployed.calls_of(lambda: other.has_page_timer(RUN, 0, NOW, NOW + 10)) == []
    assert other.has_page_timer(RUN, 0, NOW, NOW + 10)


def test_sign_of_life_is_written_once_a_minute(deployed: Deployed) -> None:
    store = deployed.process()
    assert (
        deployed.calls_of(
            lambda: [store.note_server("server-a", None, NOW + s) for s in (0, 10, 59, 61)]
        )
        == ["UpdateItem"] * 2
    )
    assert deployed.calls_of(lambda: store.note_server("server-a", "ready", NOW + 62)) == [
        "UpdateItem"
    ]
