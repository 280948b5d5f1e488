"""DynamoStore: what it keeps beyond the laws of Store: marks of runs, expiry, what is remembered, and what can go wrong."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from botocore.exceptions import ClientError
from botocore.stub import Stubber

from adapters.cloud import a_store, a_table, client, never_sleep
from cerebro.adapters.aws.dynamodb_runs import DAY_S, longest_s
from cerebro.adapters.aws.dynamodb_store import DynamoStore
from cerebro.adapters.aws.dynamodb_table import ATTEMPTS, Table
from cerebro.core.model import Plan, PlannedTask, Rank
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
from cordyna_core.errors import Conflict, ServiceError

pytestmark = pytest.mark.usefixtures("moto")


class Deployed:
    """One table, its processes, and the calls that they made."""

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
        found = self.dynamodb.scan(TableName=self.table)["Items"]
        return {(item["pk"]["S"], item["sk"]["S"]): item for item in found}

    def calls_of(self, action: Callable[[], object]) -> list[str]:
        before = len(self.calls)
        action()
        return self.calls[before:]


@pytest.fixture
def deployed() -> Deployed:
    return Deployed()


# The marks of a run.


def test_a_run_that_is_over_is_active_no_more(deployed: Deployed) -> None:
    store = deployed.process()
    run = invoked(store, a_run())
    store.write_run(replace(run, status="completed", version=2), run)
    assert store.active_runs() == []
    assert not [pk for pk, _ in deployed.items() if pk.startswith("ACTIVE")]


def test_the_mark_stands_before_the_run_and_until_after_its_end(deployed: Deployed) -> None:
    store = deployed.process()
    invoked(store, a_run())
    over = replace(a_run(), status="error", version=2)
    store.write_run(over, a_run())
    store.write_run(replace(a_run(), version=3), over)
    assert deployed.written == ["PLAN", "RUNS", "ACTIVE", "RUN", "RUN", "ACTIVE", "ACTIVE", "RUN"]


def test_a_mark_whose_run_was_never_written_is_no_active_run(deployed: Deployed) -> None:
    store = deployed.process()
    _lose(deployed, RUN, "META", after=lambda: invoked(store, a_run()))
    assert (store.active_runs(), store.runs(10)) == ([], [])


def test_a_mark_that_a_crash_left_behind_is_no_active_run(deployed: Deployed) -> None:
    store = deployed.process()
    run = invoked(store, a_run())
    (mark,) = [item for (pk, _), item in deployed.items().items() if pk.startswith("ACTIVE")]
    store.write_run(replace(run, status="completed", version=2), run)
    deployed.dynamodb.put_item(TableName=deployed.table, Item=mark)
    assert store.active_runs() == []


def test_whoever_ended_a_run_does_not_take_away_the_mark_of_who_healed_it(
    deployed: Deployed,
) -> None:
    store = deployed.process()
    run = invoked(store, a_run())
    over = replace(run, status="error", version=2)
    store.write_run(over, run)
    # The one that ended it is slow: its deletion comes after the heal.
    store.write_run(replace(run, rev=1, version=3), over)
    deployed.process().write_run(replace(over, cause="late"), run)
    assert store.active_runs() == [RUN]


def test_whoever_loses_a_heal_takes_its_mark_away(deployed: Deployed) -> None:
    store = deployed.process()
    run = invoked(store, a_run())
    over = replace(run, status="error", version=2)
    store.write_run(over, run)
    cancelled = replace(over, status="cancelled", version=3)
    store.write_run(cancelled, over)
    assert store.write_run(replace(run, rev=1, version=3), over) == cancelled
    assert not [pk for pk, _ in deployed.items() if pk.startswith("ACTIVE")]


def test_a_command_that_came_second_does_not_show_the_run_twice(deployed: Deployed) -> None:
    store = deployed.process()
    invoked(store, a_run())
    store.write_run(a_run(created_at=NOW + 3), None)
    assert [run.created_at for run in store.runs(10)] == [NOW]


# Expiry.


def test_everything_of_a_run_expires_at_one_moment_and_the_graph_never(deployed: Deployed) -> None:
    store = deployed.process()
    accept(store, a_declaration("server-a", "x"))
    store.note_server("server-a", "ready", NOW)
    store.write_tick("x", NOW)
    invoked(store, a_run())
    store.write_task(RUN, 0, a_fact(), None)
    store.write_output(RUN, 0, 1, "apart")
    store.write_page_timer(RUN, 0, NOW + 10, NOW)
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


def test_an_expired_run_is_not_known_though_its_items_are_there_still(deployed: Deployed) -> None:
    invoked(deployed.process(), a_run())
    late = deployed.process(now=NOW + 90 * DAY_S + longest_s(a_plan()))
    assert (late.read_run(RUN), late.read_run_snapshot(RUN), late.active_runs(), late.runs(10)) == (
        None,
        None,
        [],
        [],
    )


def test_a_run_is_known_for_as_long_as_it_may_take(deployed: Deployed) -> None:
    slow = Plan((PlannedTask(name="x", server="server-a", run_timeout_s=365 * 24 * 3600),))
    store = deployed.process()
    store.write_plan(slow)
    store.write_run(a_run(plan_id=slow.id), None)
    assert deployed.process(now=NOW + 366 * DAY_S).active_runs() == [RUN]


def test_the_longest_that_a_run_can_take_is_that_of_its_longest_way() -> None:
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


def test_a_key_is_free_again_when_it_has_expired(deployed: Deployed) -> None:
    assert deployed.process().claim_key("key-1", "x") == "x"
    assert deployed.process(now=NOW + 89 * DAY_S).claim_key("key-1", "y") == "x"
    assert deployed.process(now=NOW + 91 * DAY_S).claim_key("key-1", "y") == "y"


# What is remembered.


def test_a_plan_that_is_invoked_all_day_long_is_written_once(deployed: Deployed) -> None:
    store = deployed.process()
    assert deployed.calls_of(lambda: store.write_plan(a_plan())) == ["PutItem"]
    assert deployed.calls_of(lambda: store.write_plan(a_plan())) == []


def test_a_plan_is_written_again_before_it_could_expire_under_a_run(deployed: Deployed) -> None:
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


def test_a_plan_that_was_only_read_is_written_when_it_is_invoked(deployed: Deployed) -> None:
    invoked(deployed.process(), a_run())
    store = deployed.process()
    store.read_run_snapshot(RUN)
    assert deployed.calls_of(lambda: store.write_plan(a_plan())) == ["PutItem"]


def test_a_run_is_pinned_with_one_reading_of_its_plan(deployed: Deployed) -> None:
    invoked(deployed.process(), a_run())
    invoked(deployed.process(), a_run(OTHER))
    store = deployed.process()
    assert deployed.calls_of(lambda: store.read_run_snapshot(RUN)) == ["GetItem", "BatchGetItem"]
    assert deployed.calls_of(lambda: store.read_run_snapshot(OTHER)) == ["GetItem"]
    assert deployed.calls_of(lambda: store.read_run_snapshot(RUN)) == []


def test_a_fact_is_one_call_when_its_run_is_known(deployed: Deployed) -> None:
    store = deployed.process()
    invoked(store, a_run())
    assert deployed.calls_of(lambda: store.write_task(RUN, 0, a_fact(), None)) == ["PutItem"]
    assert deployed.calls_of(lambda: store.write_task(RUN, 0, a_fact(cause="other"), None)) == [
        "PutItem"
    ]
    assert deployed.calls_of(lambda: store.read_task(RUN, 0)) == ["GetItem"]


def test_a_completed_fact_is_read_once_and_any_other_each_time(deployed: Deployed) -> None:
    one, other = deployed.process(), deployed.process()
    one.write_task(RUN, 0, a_fact(Rank.COMPLETED, deadline=None), None)
    one.write_task(RUN, 1, a_fact(Rank.ERROR, deadline=None), None)
    assert deployed.calls_of(lambda: one.read_task(RUN, 0)) == []
    assert deployed.calls_of(lambda: one.read_task(RUN, 1)) == ["GetItem"]
    assert deployed.calls_of(lambda: other.read_tasks(RUN, [0, 1])) == ["BatchGetItem"]
    assert deployed.calls_of(lambda: other.read_tasks(RUN, [0])) == []
    assert deployed.calls_of(lambda: other.read_tasks(RUN, [0, 1])) == ["BatchGetItem"]


def test_the_graph_is_read_by_its_head_while_nothing_is_declared(deployed: Deployed) -> None:
    accept(deployed.process(), a_declaration("server-a", "x"), a_declaration("server-b", "y"))
    store = deployed.process()
    assert deployed.calls_of(store.read_graph) == ["GetItem", "BatchGetItem"]
    assert deployed.calls_of(store.read_graph) == ["GetItem"]


def test_a_ring_known_to_be_sent_is_not_read(deployed: Deployed) -> None:
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


def test_whoever_notes_a_ring_learns_of_the_one_that_is_noted(deployed: Deployed) -> None:
    one, other = deployed.process(), deployed.process()
    one.write_page_timer(RUN, 0, NOW + 10, NOW)
    other.write_page_timer(RUN, 0, NOW + 600, NOW)
    assert deployed.calls_of(lambda: other.has_page_timer(RUN, 0, NOW, NOW + 10)) == []
    assert other.has_page_timer(RUN, 0, NOW, NOW + 10)


def test_a_sign_of_life_is_noted_once_a_minute(deployed: Deployed) -> None:
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


# What can go wrong.


def test_a_head_whose_answer_was_lost_is_known_to_be_written(deployed: Deployed) -> None:
    store = deployed.process()
    for tasks in ("x", "y"):
        seen = store.read_graph().head
        assert accept(store, a_declaration("server-a", tasks), seen=seen)
        assert accept(store, a_declaration("server-a", tasks), seen=seen)


def test_a_fact_that_is_gone_is_no_fact_that_was_written(deployed: Deployed) -> None:
    store = deployed.process()
    with pytest.raises(Conflict, match="gone"):
        store.write_task(RUN, 0, a_fact(rev=2), a_fact())


def test_a_graph_whose_declaration_is_missing_says_whose(deployed: Deployed) -> None:
    accept(deployed.process(), a_declaration("server-a", "x"), a_declaration("server-b", "y"))
    _lose(deployed, "GRAPH", "SERVER#server-b")
    with pytest.raises(ServiceError, match="not in its table: server-b"):
        deployed.process().read_graph()


def test_a_run_whose_plan_is_missing_says_so(deployed: Deployed) -> None:
    invoked(deployed.process(), a_run())
    _lose(deployed, "PLAN", "0")
    with pytest.raises(ServiceError, match=f"the plan of run {RUN}"):
        deployed.process().read_run_snapshot(RUN)


def test_a_refusal_of_dynamodb_that_is_no_condition_is_raised(deployed: Deployed) -> None:
    with Stubber(deployed.dynamodb) as stub:
        stub.add_client_error("put_item", "ProvisionedThroughputExceededException")
        with pytest.raises(ClientError, match="ProvisionedThroughputExceeded"):
            deployed.process().claim_key("key-1", "x")


def test_what_a_batch_leaves_for_later_is_read_later(deployed: Deployed) -> None:
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


def test_a_batch_that_is_never_read_whole_is_an_error(deployed: Deployed) -> None:
    table, slept = _slow_table(deployed)
    left = {deployed.table: {"Keys": [_key("b")], "ConsistentRead": True}}
    with Stubber(deployed.dynamodb) as stub:
        for _ in range(ATTEMPTS):
            stub.add_response("batch_get_item", {"Responses": {}, "UnprocessedKeys": left})
        with pytest.raises(ServiceError, match="left 1 items unread"):
            table.get_many([("b", "b")])
    assert slept == [0.1, 0.2, 0.4, 0.8, 1.6]


def _slow_table(deployed: Deployed) -> tuple[Table, list[float]]:
    slept: list[float] = []
    return Table(deployed.dynamodb, deployed.table, slept.append), slept


def _key(name: str) -> dict[str, Any]:
    return {"pk": {"S": name}, "sk": {"S": name}}


def _lose(deployed: Deployed, pk: str, sk: str, after: Callable[[], object] = lambda: None) -> None:
    """Delete the items whose keys hold these texts."""
    after()
    for there in deployed.items():
        if pk in there[0] and there[1].startswith(sk):
            deployed.dynamodb.delete_item(
                TableName=deployed.table, Key={"pk": {"S": there[0]}, "sk": {"S": there[1]}}
            )
