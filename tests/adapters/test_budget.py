"""The budget of section 9: what a task costs, counted on botocore's hooks, on graphs small enough for a test.

`bench/cost.py` has the large ones.
"""

from collections.abc import Iterator

import pytest
from aws_world import AwsWorld
from cost import BUDGET, MOST_PER_MILLION, requests_price
from counting import Counts, Hooks, read_units, size_of
from graphs import Graph, chain, fan

from adapters.cloud import a_table, client

PER_RUN = {"events": 4, "writes": 24, "reads": 40, "invocations": 6}
"""What a run costs by itself, however many tasks it has: its plan, its marks, its beginning and end, signs of life, a few rings."""


def layers(depth: int = 4, width: int = 20) -> Graph:
    """Every task needs three of the layer before; the last one needs the whole last layer."""
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
def test_a_task_costs_no_more_than_its_budget(world: AwsWorld, graph: Graph) -> None:
    world.declare(graph)
    counts = world.run(graph)
    spent = {name: getattr(counts, name) for name in BUDGET}
    allowed = {name: each * len(graph) + PER_RUN[name] for name, each in BUDGET.items()}
    assert {
        name: (spent[name], allowed[name]) for name in BUDGET if spent[name] > allowed[name]
    } == {}
    assert requests_price(counts) <= MOST_PER_MILLION[1] * (len(graph) + 20)
    assert not {call for call in counts.calls if "Transact" in call or "Scan" in call}


def test_the_rings_of_a_thousand_dispatches_are_few(world: AwsWorld) -> None:
    graph = fan(60)
    world.declare(graph)
    counts = world.run(graph)
    assert counts.waits + counts.schedules <= 3


def test_what_is_counted_is_what_dynamodb_charges_for(moto: None) -> None:
    dynamodb = client("dynamodb")
    table = a_table(dynamodb)
    hooks = Hooks(lambda: 0.0)
    hooks.put_on(dynamodb)
    big = {"pk": {"S": "a"}, "sk": {"S": "b"}, "text": {"S": "x" * 5_000}}
    dynamodb.put_item(TableName=table, Item=big)
    dynamodb.get_item(
        TableName=table, Key={"pk": {"S": "a"}, "sk": {"S": "b"}}, ConsistentRead=True
    )
    dynamodb.get_item(
        TableName=table, Key={"pk": {"S": "a"}, "sk": {"S": "none"}}, ConsistentRead=True
    )
    keys = [{"pk": {"S": "a"}, "sk": {"S": name}} for name in ("b", "none")]
    dynamodb.batch_get_item(RequestItems={table: {"Keys": keys, "ConsistentRead": True}})
    dynamodb.delete_item(TableName=table, Key=keys[0])
    assert (size_of(big), read_units(big)) == (5_010, 2)
    assert hooks.counts == Counts(writes=5 + 1, reads=2 + 1 + 3, calls=hooks.counts.calls), (
        "a write for every KB begun, a read for every 4 KB, one for what is not there"
    )
