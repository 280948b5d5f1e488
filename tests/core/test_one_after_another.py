"""A graph that is made from another equals one that is made anew, and so do decisions on it."""

import gc
import random
from typing import Any
from weakref import ref

import networkx as nx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cerebro.core.declaration.conflicts import join
from cerebro.core.declaration.decide import Accepted, Rejected, decide, declare_batch
from cerebro.core.graph.graph import Graph
from cordyna_core.contract.declaration import ServerDeclared
from world.declarations import declared

NOTHING = Graph.of({})
SERVERS = "abcd"
NAMES = "pqrstuvw"
MORE: tuple[dict[str, Any], ...] = (
    {},
    {},
    {"cron": "0 6 * * *"},
    {"retries": 1},
    {"owner": "team"},
    {"consumers": ["b"]},
    {
        "params_schema": {
            "type": "object",
            "properties": {"day": {"type": "string", "writeOnly": True}},
            "required": ["day"],
        }
    },
)

seeds = st.integers(0, 1_000_000)


def some(rng: random.Random, server: str) -> ServerDeclared:
    """A declaration with few tasks of few names: most of what can go wrong does now and then."""
    tasks, fields = [], {}
    for name in rng.choices(NAMES, k=rng.randrange(4)):
        upstream = rng.choices(NAMES, k=rng.choice((0, 1, 1, 2)))
        tasks.append(f"{name}<-{','.join(upstream)}" if upstream else name)
        fields[name] = dict(rng.choice(MORE))
        if upstream and rng.random() < 0.1:
            fields[name]["upstream"] = [{"task": upstream[0], "within_s": 60}]
    return declared(server, " ".join(tasks), revision=rng.randrange(2), **fields)


def anew(graph: Graph) -> Graph:
    return Graph.of(graph.declarations, graph.generation)


def assert_is_as_if_made_anew(graph: Graph) -> None:
    other = anew(graph)
    assert list(graph) == list(other)
    assert len(graph) == len(list(graph))
    assert (graph.head, graph.unresolved, graph.crons) == (
        other.head,
        other.unresolved,
        other.crons,
    )
    assert list(graph.unresolved) == list(other.unresolved)
    assert (graph.wanted_fresh, graph.without_order) == (other.wanted_fresh, other.without_order)
    assert (graph.restricted, graph.deprecated) == (other.restricted, other.deprecated)
    assert (graph.requiring, graph.secret_names) == (other.requiring, other.secret_names)
    for name in graph:
        assert graph[name] == other[name]
        assert graph.version_of_task(name) == other.version_of_task(name)
        assert graph.takes_secrets(name) == other.takes_secrets(name)
        assert graph.closure(name) == other.closure(name)
        assert list(graph.closure(name).missing) == list(other.closure(name).missing)
        assert list(graph.shortest_paths_to_unresolved(name).items()) == list(
            other.shortest_paths_to_unresolved(name).items()
        )
    assert_has_users_as_if_made_anew(graph, other)
    for name in set(NAMES).difference(graph):
        assert (name in graph, graph.get(name), graph.server_of(name), graph.upstream_of(name)) == (
            False,
            None,
            None,
            (),
        )


def assert_has_users_as_if_made_anew(graph: Graph, other: Graph) -> None:
    users, others = graph.users, other.users
    assert [users.of(name) for name in NAMES] == [others.of(name) for name in NAMES]
    assert not graph.has_cycle
    for reach, again in ((users.missing, others.missing), (users.forbidden, others.forbidden)):
        assert sorted(users.reached(reach)) == sorted(others.reached(again))
        assert all(
            bool(count) == mark for count, mark in zip(reach.support, reach.marks, strict=True)
        )
    ranks, number_of = users.ranks, users.edges.numbers
    assert ranks is not None
    for name in graph:
        for upstream in graph.upstream_of(name):
            assert ranks[number_of[upstream]] < ranks[number_of[name]]


def has_cycle(graph: Graph, more: ServerDeclared) -> bool:
    """As networkx sees it: the first of two declarations, without what belongs to others."""
    upstream = {
        name: graph[name].task.upstream_names for name in graph if graph[name].server != more.server
    }
    for task in more.tasks:
        upstream.setdefault(task.name, task.upstream_names)
    network: nx.DiGraph[str] = nx.DiGraph(
        (name, upstream_name)
        for name, needs in upstream.items()
        for upstream_name in needs
        if upstream_name != name
    )
    return not nx.is_directed_acyclic_graph(network)


@given(seeds)
def test_graph_made_stepwise_equals_graph_made_at_once(seed: int) -> None:
    rng = random.Random(seed)
    graph = NOTHING
    for _ in range(12):
        declaration = some(rng, rng.choice(SERVERS))
        outcome = decide(graph, declaration)
        expected = decide(anew(graph), declaration)
        if isinstance(outcome, Accepted) and isinstance(expected, Accepted):
            assert (outcome.version, outcome.head) == (expected.version, expected.head)
            graph = outcome.graph
            assert_is_as_if_made_anew(graph)
        else:
            assert outcome == expected


@given(seeds)
def test_graph_of_batches_equals_graph_made_at_once(seed: int) -> None:
    rng = random.Random(seed)
    graph = NOTHING
    for _ in range(5):
        batch = [some(rng, server) for server in rng.sample(SERVERS, k=rng.randrange(1, 5))]
        made, expected = declare_batch(batch, graph), declare_batch(batch, anew(graph))
        for (_, one), (_, other) in zip(made.outcomes, expected.outcomes, strict=True):
            assert type(one) is type(other)
            assert not isinstance(one, Rejected) or one == other
        assert made.graph.declarations == expected.graph.declarations
        graph = made.graph
        assert_is_as_if_made_anew(graph)


@given(seeds)
def test_cycle_is_searched_where_changed_and_found(
    seed: int,
) -> None:
    rng = random.Random(seed)
    graph = NOTHING
    for _ in range(12):
        declaration = some(rng, rng.choice(SERVERS))
        others = {
            server: declared
            for server, declared in graph.declarations.items()
            if server != declaration.server
        }
        cycles = [
            problem
            for problem in join({declaration.server: declaration}, others, graph).problems.get(
                declaration.server, ()
            )
            if problem.code == "cycle"
        ]
        assert bool(cycles) == has_cycle(graph, declaration)
        if isinstance(outcome := decide(graph, declaration), Accepted):
            graph = outcome.graph


@pytest.mark.parametrize("marks", [(), ("unresponsive:a",)])
def test_graph_decided_and_then_stored_is_the_same_object(marks: tuple[str, ...]) -> None:
    before = Graph.of({"a": declared("a", "x")}).with_watched(frozenset(marks))
    declaration = declared("b", "y<-x")
    outcome = decide(before, declaration)
    assert isinstance(outcome, Accepted)
    declarations = {**before.declarations, "b": declaration}
    head = outcome.head
    assert before.with_servers(declarations, head.generation, head.servers) is outcome.graph
    seventh = before.with_servers(declarations, 7, head.servers)
    assert (seventh.generation, outcome.graph.generation) == (7, head.generation)
    assert outcome.graph.watched == seventh.watched == {*marks}
    versions = {"a": "1", "b": "2"}
    assert before.with_servers(declarations, 7, versions).head.servers == versions


def test_graph_that_is_not_needed_is_not_kept() -> None:
    before = Graph.of({"a": declared("a", "x")})
    made = ref(before.with_servers({"b": declared("b", "y")}))
    gc.collect()
    assert made() is None


def test_task_redeclared_by_other_server_in_a_batch_moves() -> None:
    before = declare_batch([declared("a", "x y<-x"), declared("b", "z<-y")]).graph
    graph = declare_batch([declared("a", "x"), declared("b", "z<-y y<-x")], before).graph
    assert graph.server_of("y") == "b"
    assert graph.version_of_task("y") != before.version_of_task("y")
    assert_is_as_if_made_anew(graph)


def test_name_declared_again_is_upstream_again() -> None:
    b = declared("b", "y<-x")
    with_x = Graph.of({"a": declared("a", "x"), "b": b})
    without = with_x.with_servers({"b": b})
    again = without.with_servers({"b": b, "c": declared("c", "w x<-w")})
    assert with_x.closure("y").names == ("x", "y")
    assert (without.closure("y").names, without.closure("y").missing) == (("y",), {"x": ("y",)})
    assert again.closure("y").names == ("w", "x", "y")
    assert with_x.unresolved == again.unresolved == {}
