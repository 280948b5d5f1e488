"""DynamoStore over damaged items: the error names the item, and other messages are handled."""

import json
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest

from adapters.cloud import never_sleep
from adapters.deployed import Deployed, deployed
from adapters.filled_store import READS as READS_OF_EACH
from adapters.filled_store import fill
from cerebro.adapters.aws.dynamodb_run_marks import SHARDS
from cerebro.adapters.aws.dynamodb_store import DynamoStore
from cerebro.core.incidents.deadline import Deadline
from cerebro.handlers.receive import BatchResult, Delivery, receive
from cerebro.handlers.sweep import sweep_shards
from cerebro.ports import DamagedItem
from cerebro.shell import Ports
from cerebro.testing.examples import (
    NOW,
    OTHER,
    RUN,
    a_fact,
    a_run,
    invoked,
)
from cerebro.testing.incident_contract import INCIDENT
from cordyna_core.contract.commands import CancelRun, RetryRun
from cordyna_core.contract.envelope import seal
from cordyna_core.contract.ids import CLIENT, server_source
from cordyna_core.contract.state_updates import InvocationRejected, TaskStateChanged
from cordyna_core.contract.time import utc
from cordyna_core.errors import ServiceError
from world.reactions import Reactions

__all__ = ["deployed"]

pytestmark = pytest.mark.usefixtures("moto")

Items = dict[tuple[str, str], dict[str, Any]]
READS: dict[str, Callable[[Any], object]] = {
    **READS_OF_EACH,
    "sweep": lambda store: [list(store.active_pages(shard)) for shard in range(SHARDS)],
}


class TableOf:
    """The reads of a DynamoDB client, on items in memory."""

    def __init__(self, items: Items) -> None:
        self._items = items

    def get_item(self, *, Key: dict[str, Any], **_: object) -> dict[str, Any]:  # noqa: N803
        item = self._items.get((Key["pk"]["S"], Key["sk"]["S"]))
        return {} if item is None else {"Item": item}

    def batch_get_item(self, *, RequestItems: dict[str, Any]) -> dict[str, Any]:  # noqa: N803
        ((table, request),) = RequestItems.items()
        found = [self.get_item(Key=key).get("Item") for key in request["Keys"]]
        return {"Responses": {table: [item for item in found if item is not None]}}

    def query(
        self,
        *,
        ExpressionAttributeValues: dict[str, Any],  # noqa: N803
        **_: object,
    ) -> dict[str, Any]:
        values = {name: value["S"] for name, value in ExpressionAttributeValues.items()}
        found = [
            item
            for (pk, sk), item in sorted(self._items.items())
            if pk == values[":pk"]
            and sk.startswith(values.get(":prefix", ""))
            and sk > values.get(":after", "")
        ]
        return {"Items": found}


BAD_VALUES: list[dict[str, Any] | None] = [
    None,
    {"S": ""},
    {"S": "junk"},
    {"S": "null"},
    {"S": "[]"},
    {"S": '["2",1,99]'},
    {"S": '{"format":2}'},
    {"S": "[" * 5_000},
    {"S": "@1#gone"},
    {"N": "7"},
    {"NULL": True},
    {"B": b"\xff"},
]


def damages(items: Items) -> Iterator[tuple[tuple[str, str], str, Items]]:
    """Every item with every attribute missing, or with another value."""
    for key, item in items.items():
        for name in item.keys() - {"pk", "sk"}:
            for value in BAD_VALUES:
                others = {attribute: item[attribute] for attribute in item if attribute != name}
                damaged = others if value is None else {**others, name: value}
                yield key, name, {**items, key: damaged}


@contextmanager
def suppress_unreadable() -> Iterator[list[ServiceError]]:
    """Collect the error that says that an item cannot be read."""
    errors: list[ServiceError] = []
    try:
        yield errors
    except ServiceError as error:
        errors.append(error)


def test_any_damage_is_named_or_does_not_matter(deployed: Deployed) -> None:
    store = deployed.process()
    fill(store)
    list(store.new_active_pages(0))
    named: set[str] = set()
    for key, name, items in damages(deployed.items()):
        table = TableOf(items)
        for what, read in READS.items():
            store = DynamoStore(
                table,  # type: ignore[arg-type]
                "table",
                clock=lambda: NOW + 60,
                sleep=never_sleep,
                retention_days=90,
            )
            with suppress_unreadable() as unreadable:
                read(store)
            for error in unreadable:
                item = f"item {key[0]} / {key[1]} of table table"
                # The others are of a head that can be decoded, and names what does not exist.
                expected = (item, "the graph names declarations", "the graph's head names an item")
                assert error.what.startswith(expected), what
                assert error.why
                assert error.next
                named.add(f"{key[0].partition('#')[0]} {name}")
    assert named == {
        "DEADLINES deadline",
        "GRAPH chunk",
        "GRAPH generation",
        "GRAPH of",
        "GRAPH servers",
        "GRAPH watched",
        "INCIDENTS expires_at",
        "INCIDENTS incident",
        "PLAN chunk",
        "PLAN of",
        "RUN due",
        "RUN expires_at",
        "RUN fact",
        "RUN output",
        "RUN run",
        "SWEPT until",
        "TASK expires_at",
        "TASK last",
        "TICK nominal",
    }


def damage(deployed: Deployed, pk: str, sk: str, **attributes: dict[str, Any]) -> None:
    item = deployed.items()[pk, sk]
    deployed.dynamodb.put_item(TableName=deployed.table, Item={**item, **attributes})


def ports_of(deployed: Deployed) -> tuple[Ports, Reactions]:
    driver = Reactions()
    driver.now = NOW + 1
    return replace(driver.ports, store=deployed.process()), driver


def a_batch(*runs: str) -> list[Delivery]:
    """A `completed` of the first task of each run."""
    updates = [
        TaskStateChanged(
            server="server-a", run_id=run, task="team.task-0", attempt=1, state="completed"
        )
        for run in runs
    ]
    return [
        Delivery(
            update.run_id,
            seal(update, server_source("server-a"), f"update of {update.run_id}", utc(NOW)),
        )
        for update in updates
    ]


def two_runs(deployed: Deployed) -> None:
    store = deployed.process()
    for run_id in (RUN, OTHER):
        invoked(store, a_run(run_id))
        store.write_task(run_id, 0, a_fact(), None)


@pytest.mark.parametrize(
    ("pk", "sk", "attribute"),
    [(f"RUN#{RUN}", "META", "run"), (f"RUN#{RUN}#0", "T#000000", "fact")],
)
def test_damaged_item_fails_only_its_message(
    pk: str, sk: str, attribute: str, deployed: Deployed
) -> None:
    two_runs(deployed)
    damage(deployed, pk, sk, **{attribute: {"S": "junk"}})
    ports, _ = ports_of(deployed)
    outcome: BatchResult = receive(a_batch(RUN, OTHER), ports)
    ((letter, reason),) = outcome.dead_letters
    assert (letter.receipt, outcome.again) == (RUN, [])
    assert f"item {pk} / {sk} of table {deployed.table} is damaged." in reason
    assert "JSONDecodeError" in reason
    assert "next: restore it from a backup" in reason
    fact = deployed.process().read_task(OTHER, 0)
    assert fact is not None
    assert fact.is_completed


@pytest.mark.parametrize("make", [CancelRun, RetryRun])
def test_sender_is_answered_with_the_damaged_item(
    make: Callable[..., CancelRun | RetryRun], deployed: Deployed
) -> None:
    two_runs(deployed)
    damage(deployed, f"RUN#{RUN}", "META", run={"S": '{"format":2}'})
    ports, driver = ports_of(deployed)
    command = seal(make(run_id=RUN), CLIENT, "the command", utc(NOW))
    outcome = receive([Delivery("receipt", command)], ports)
    assert len(outcome.dead_letters) == 1
    (refused,) = [m for m in driver.published if isinstance(m, InvocationRejected)]
    assert (refused.event_id, refused.problems[0].code) == ("the command", "not_handled")
    assert f"RUN#{RUN} / META" in refused.problems[0].message


def test_damaged_run_does_not_stop_a_sweep(
    deployed: Deployed, caplog: pytest.LogCaptureFixture
) -> None:
    two_runs(deployed)
    damage(deployed, f"RUN#{RUN}", "META", run={"S": "junk"})
    ports, driver = ports_of(deployed)
    with caplog.at_level(logging.ERROR):
        progress = sweep_shards(ports, deployed.process(), range(SHARDS), lambda: True)
    assert progress.is_finished
    assert {timer.run_id for timer in driver.page_timers} == {OTHER}
    assert f"item RUN#{RUN} / META" in caplog.text


def test_damaged_item_is_left_out_of_lists(
    deployed: Deployed, caplog: pytest.LogCaptureFixture
) -> None:
    store = deployed.process()
    fill(store)
    store.write_incident(replace(INCIDENT, id="other"), None)
    store.write_deadline(Deadline(task="y", nominal=NOW, due=NOW + 9), None)
    store.note_server("server-b", "ready", NOW)
    damage(deployed, "INCIDENTS", INCIDENT.id, incident={"S": "junk"})
    damage(deployed, "DEADLINES", f"x#{NOW:017.3f}", deadline={"S": "junk"})
    partition = next(pk for pk, sk in deployed.items() if sk == "server-a")
    damage(deployed, partition, "server-a", at={"S": "junk"})

    assert [incident.id for incident in store.incidents()] == ["other"]
    assert [deadline.task for deadline in store.open_deadlines()] == ["y"]
    assert [seen.server for seen in store.servers()] == ["server-b"]
    for name in (f"INCIDENTS / {INCIDENT.id}", "DEADLINES / x#", f"{partition} / server-a"):
        assert f"left out of a list: item {name}" in caplog.text


def test_damaged_plan_does_not_stop_a_sweep(
    deployed: Deployed, caplog: pytest.LogCaptureFixture
) -> None:
    """The handler of the timer of its first page names the item."""
    two_runs(deployed)
    damage(deployed, f"PLAN#{a_run().plan_id}", "0", chunk={"B": b"junk"})
    ports, driver = ports_of(deployed)
    progress = sweep_shards(ports, deployed.process(), range(SHARDS), lambda: True)
    assert progress.is_finished
    assert {timer.run_id for timer in driver.page_timers} == {RUN, OTHER}
    assert f"item PLAN#{a_run().plan_id} / 0" in caplog.text


def test_damaged_mark_does_not_stop_a_sweep(
    deployed: Deployed, caplog: pytest.LogCaptureFixture
) -> None:
    fill(deployed.process())
    marks = [key for key in deployed.items() if key[0].startswith("ACTIVE#")]
    assert marks
    for key in marks:
        damage(deployed, *key, pages={"S": "many"})
    ports, driver = ports_of(deployed)
    assert sweep_shards(ports, deployed.process(), range(SHARDS), lambda: True).is_finished
    assert {timer.run_id for timer in driver.page_timers} == {RUN}
    assert f"item {marks[0][0]} / {marks[0][1]}" in caplog.text


def test_graph_that_cannot_be_read_keeps_no_batch(
    deployed: Deployed, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A dead letter that may have secrets is not kept before they can be replaced."""
    two_runs(deployed)
    ports, _ = ports_of(deployed)

    def throttled() -> None:
        raise OSError("throttled")

    monkeypatch.setattr(ports.store, "read_graph", throttled, raising=False)
    outcome = receive([Delivery("bad", '{"params":'), *a_batch(OTHER)], ports)
    assert (outcome.again, outcome.dead_letters) == (["bad"], [])
    fact = deployed.process().read_task(OTHER, 0)
    assert fact is not None
    assert fact.is_completed


@pytest.mark.parametrize(
    ("pk", "sk", "attribute", "field", "value"),
    [
        (f"RUN#{RUN}#0", "T#000000", "fact", 4, "soon"),
        (f"RUN#{RUN}#0", "T#000000", "fact", 5, None),
        (f"RUN#{RUN}#0", "T#000000", "fact", 12, 2**70),
        (f"RUN#{RUN}", "META", "run", "status", "paused"),
        (f"RUN#{RUN}", "META", "run", "version", "1"),
        (f"RUN#{RUN}", "META", "run", "created_at", float("nan")),
        (f"RUN#{RUN}", "META", "run", "id", "\ud83d"),
    ],
)
def test_field_of_another_type_is_damage(
    pk: str, sk: str, attribute: str, field: Any, value: Any, deployed: Deployed
) -> None:
    """It is found where it is read, and not where a program first computes with it."""
    fill(deployed.process())
    values = json.loads(deployed.items()[pk, sk][attribute]["S"])
    values[field] = value
    damage(deployed, pk, sk, **{attribute: {"S": json.dumps(values)}})
    store = deployed.process()
    with pytest.raises(DamagedItem, match="cannot be") as damaged:
        store.read_task(RUN, 0) if attribute == "fact" else store.read_run(RUN)
    assert f"item {pk} / {sk}" in damaged.value.what
