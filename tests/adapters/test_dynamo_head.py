"""The head of the graph in DynamoDB: one read unit, however many servers there are."""

import pytest
from counting import read_units

from adapters.deployed import Deployed, deployed
from cerebro.core.graph.versions import Head
from cerebro.testing.examples import a_declaration, accept

__all__ = ["deployed"]

pytestmark = pytest.mark.usefixtures("moto")

SERVERS = 60


def declare_many(deployed: Deployed) -> None:
    declared = [a_declaration(f"server-{n:03}", f"task-{n:03}") for n in range(SERVERS)]
    assert accept(deployed.process(), *declared)


def versions_items(deployed: Deployed) -> list[str]:
    return [sk for pk, sk in deployed.items() if pk == "GRAPH" and sk.startswith("VERSIONS#")]


def test_head_of_many_servers_takes_one_read_unit(deployed: Deployed) -> None:
    declare_many(deployed)
    assert read_units(deployed.items()["GRAPH", "HEAD"]) == 1
    assert len(deployed.process().read_graph().head.servers) == SERVERS


def test_head_of_few_servers_is_one_item(deployed: Deployed) -> None:
    accept(deployed.process(), a_declaration("server-a", "x"))
    assert versions_items(deployed) == []


def test_warm_process_reads_the_head_only(deployed: Deployed) -> None:
    declare_many(deployed)
    process = deployed.process()
    process.read_graph()
    assert deployed.calls_of(process.read_graph) == ["GetItem"]


def test_replaced_versions_are_deleted(deployed: Deployed) -> None:
    declare_many(deployed)
    (first,) = versions_items(deployed)
    one, other = deployed.process(), deployed.process()
    seen = one.read_graph().head
    new = Head(seen.generation + 1, {**seen.servers, "server-000": "another"})
    assert one.write_head(new, seen)
    assert not other.write_head(Head(new.generation, {**seen.servers, "server-1": "v"}), seen)
    assert other.write_head(new, seen), "its own write, whose answer was lost"
    (second,) = versions_items(deployed)
    assert second != first


def test_head_replaced_while_it_is_read_is_read_again(deployed: Deployed) -> None:
    declare_many(deployed)
    reader, writer = deployed.process(), deployed.process()
    seen = writer.read_graph().head
    fewer = Head(seen.generation + 1, {"server-000": seen.servers["server-000"]})
    client, reads = deployed.dynamodb, list[int]()

    def replace_head(**_: object) -> None:
        if not reads:
            reads.append(1)
            assert writer.write_head(fewer, seen)

    client.meta.events.register("after-call.dynamodb.GetItem", replace_head)
    assert reader.read_graph().head == fewer
