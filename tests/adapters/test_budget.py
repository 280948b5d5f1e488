"""The cost budget of a task, counted on botocore's hooks, on graphs small enough for a test.

`bench/cost.py` measures large ones.
"""

from collections.abc import Iterator

import cost
import pytest
import server_share
from aws_world import AwsWorld
from cost import BODIES, BUDGET, PRICE_PER_MILLION_MAX, SHORT_BODY, measure, requests_price
from counting import Counts, Hooks, read_units, size_of
from graphs import Graph, chain, fan, single

from adapters.cloud import a_table, client

PER_RUN = {"events": 4, "writes": 24, "reads": 40, "invocations": 6}
"""The fixed cost of a run: its plan, marks, start and end, signs of life, a few page timers."""


def layers(depth: int = 4, width: int = 20) -> Graph:
    """Every task has three upstreams in the layer before; the last one has the whole last layer."""
    graph: Graph = {}
    for layer in range(depth):
        for place in range(width):
            graph[f"t{layer}-{place}"] = (
                tuple(f"t{layer - 1}-{(place + step) % width}" for step in (0, 3, 7))
                if layer
                else ()
            )
    return {**graph, "last": tuple(name for name in graph if name.startswith(f"t{depth - 1}-"))}


@pytest.fixture
def world() -> Iterator[AwsWorld]:
    with AwsWorld() as world:
        yield world


@pytest.mark.parametrize("graph", [layers(), chain(40), fan(40)], ids=["layers", "chain", "fan"])
def test_task_costs_no_more_than_its_budget(world: AwsWorld, graph: Graph) -> None:
    world.declare(graph)
    counts = world.run(graph)
    spent = {name: getattr(counts, name) for name in BUDGET}
    allowed = {name: per_task * len(graph) + PER_RUN[name] for name, per_task in BUDGET.items()}
    assert {
        name: (spent[name], allowed[name]) for name in BUDGET if spent[name] > allowed[name]
    } == {}
    assert requests_price(counts) <= PRICE_PER_MILLION_MAX[1] * (len(graph) + 20)
    assert not {call for call in counts.calls if "Transact" in call or "Scan" in call}


def test_page_timers_of_many_dispatches_are_few(world: AwsWorld) -> None:
    graph = fan(60)
    world.declare(graph)
    counts = world.run(graph)
    assert counts.waits + counts.schedules <= 3


@pytest.mark.parametrize(
    ("body", "timers", "dollars_max"),
    [
        (SHORT_BODY, "states", 14.4),
        (SHORT_BODY, "queue", 13.75),
        ("takes more than a second", "states", 17.5),
        ("takes more than a second", "queue", 16.9),
        ("waits for a worker", "states", 17.5),
        ("waits for a worker", "queue", 16.9),
    ],
)
def test_run_of_one_task_costs_no_more_than_its_budget(
    body: str, timers: str, dollars_max: float
) -> None:
    counts = measure(single(), 1, timers, body=body)
    assert requests_price(counts) <= dollars_max
    assert (counts.waits, counts.waited_s) == ((1, 1.0) if timers == "states" else (0, 0.0))


def test_held_start_saves_an_update_and_all_that_follows() -> None:
    at_once, held = (
        measure(single(), 1, "queue", body=body)
        for body in ("takes more than a second", SHORT_BODY)
    )
    names = ("events", "messages", "invocations", "writes", "reads")
    saved = [getattr(at_once, name) - getattr(held, name) for name in names]
    assert saved == [1, 1, 1, 1, 1]


@pytest.mark.parametrize("body", BODIES)
def test_bodies_are_reported_as_their_kind_says(body: str) -> None:
    counts, least = measure(single(), 1, body=body), measure(single(), 1)
    assert counts.events - least.events == len(BODIES[body]) - 1


def test_server_pays_for_its_queues_only_if_it_has_them() -> None:
    no_queue, free, busy = server_share.shares().values()
    assert no_queue["queues"] == 0
    # The command and its check are each sent, received and deleted; the command is kept once.
    assert free["queues"] == busy["queues"] == pytest.approx(2.8)
    # The claim is a write, and the check a read of the cheaper kind; a body that waits costs the
    # note that it was acknowledged.
    assert no_queue["claims"] == pytest.approx(0.625)
    assert free["claims"] == pytest.approx(0.6875)
    assert busy["claims"] == pytest.approx(1.3125)
    assert [round(kind["Lambda"], 2) for kind in (no_queue, free, busy)] == [0.15, 0.43, 0.57]


def test_wait_of_a_completed_run_sends_no_message() -> None:
    counts = measure(single(), 1)
    assert (counts.waits, counts.messages, counts.invocations) == (1, 2, 2)


@pytest.mark.parametrize(
    ("body", "dollars_max"), [(SHORT_BODY, 5.4), ("takes more than a second", 8.45)]
)
def test_chain_of_tasks_costs_no_more_than_its_budget(body: str, dollars_max: float) -> None:
    counts = measure(chain(40), 1, "queue", body=body)
    assert requests_price(counts) <= dollars_max * 40


def test_prices_of_short_bodies_come_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cost, "RUNS", {"one": single})
    rows = cost.runs()
    assert [(row["body"], row["timers"], row["shape"], row["tasks"]) for row in rows] == [
        (SHORT_BODY, "states", "one", 1),
        (SHORT_BODY, "queue", "one", 1),
    ]
    others = cost.runs_of_other_bodies()
    assert [(row["body"], row["timers"]) for row in others] == [
        (body, timers) for body in list(BODIES)[1:] for timers in ("states", "queue")
    ]
    for row in (*rows, *others):
        assert row["usd_per_million_tasks"] == pytest.approx(sum(row["parts"].values()), abs=0.05)
    dearest = max(row["usd_per_million_tasks"] for row in rows)
    assert min(row["usd_per_million_tasks"] for row in others) > dearest


def test_counted_units_are_what_dynamodb_charges(moto: None) -> None:
    dynamodb = client("dynamodb")
    table = a_table(dynamodb)
    hooks = Hooks()
    hooks.attach(dynamodb)
    big = {"pk": {"S": "a"}, "sk": {"S": "b"}, "text": {"S": "x" * 5_000}}
    dynamodb.put_item(TableName=table, Item=big)
    dynamodb.get_item(
        TableName=table, Key={"pk": {"S": "a"}, "sk": {"S": "b"}}, ConsistentRead=True
    )
    dynamodb.get_item(
        TableName=table, Key={"pk": {"S": "a"}, "sk": {"S": "none"}}, ConsistentRead=True
    )
    dynamodb.get_item(TableName=table, Key={"pk": {"S": "a"}, "sk": {"S": "b"}})
    keys = [{"pk": {"S": "a"}, "sk": {"S": name}} for name in ("b", "none")]
    dynamodb.batch_get_item(RequestItems={table: {"Keys": keys, "ConsistentRead": True}})
    dynamodb.batch_get_item(RequestItems={table: {"Keys": keys}})
    dynamodb.delete_item(TableName=table, Key=keys[0])
    assert (size_of(big), read_units(big)) == (5_010, 2)
    reads = 2 + 1 + 1 + 3 + 1.5
    assert hooks.counts == Counts(writes=5 + 1, reads=reads, calls=hooks.counts.calls), (
        "a write for every KB begun, a read for every 4 KB, one for a missing item, half if it "
        "need not be consistent"
    )
