"""Declare: what is accepted, what is only a sign of life, and every reason for a refusal."""

import random
from itertools import pairwise

import networkx as nx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cerebro.core.declaration import conflicts
from cerebro.core.declaration.decide import Accepted, Rejected, SignOfLife, decide
from cerebro.core.graph.cycles import CYCLES_PER_COMPONENT_MAX
from cerebro.core.graph.graph import Graph
from cerebro.core.graph.versions import Head, version_of
from cerebro.core.validation import validate_declaration as validation
from cerebro.core.validation.problems import MAX_PROBLEMS
from cordyna_core.contract.limits import MAX_DECLARATION_BYTES
from core.decisions import NOTHING, accepted, codes, problems
from world.declarations import declared, graph_of


def test_declare_first_is_accepted_as_new_generation() -> None:
    a = declared("a", "x y<-x")
    outcome = decide(NOTHING, a)
    assert isinstance(outcome, Accepted)
    assert outcome.head == Head(1, {"a": version_of(a)})
    assert (outcome.declared, outcome.version) == (a, version_of(a))
    assert list(outcome.graph) == ["x", "y"]


def test_declare_other_server_keeps_the_first() -> None:
    a, b = declared("a", "x"), declared("b", "y<-x")
    graph = accepted(decide(graph_of(a), b))
    assert graph.head == Head(2, {"a": version_of(a), "b": version_of(b)})


def test_declare_same_content_is_a_sign_of_life() -> None:
    assert decide(graph_of(declared("a", "x")), declared("a", "x")) == SignOfLife("same")


def test_declare_lower_revision_is_a_sign_of_life() -> None:
    assert decide(
        graph_of(declared("a", "x", revision=2)), declared("a", "x y", revision=1)
    ) == SignOfLife("older_revision")


def test_declare_lower_revision_is_not_validated() -> None:
    assert decide(
        graph_of(declared("a", "x", revision=2)), declared("a", "x<-x", revision=1)
    ) == SignOfLife("older_revision")


def test_declare_higher_revision_same_tasks_is_accepted() -> None:
    graph = accepted(
        decide(graph_of(declared("a", "x", revision=1)), declared("a", "x", revision=3))
    )
    assert decide(graph, declared("a", "other", revision=2)) == SignOfLife("older_revision")


def test_declare_again_replaces_the_tasks() -> None:
    graph = accepted(decide(graph_of(declared("a", "x y")), declared("a", "y z")))
    assert list(graph) == ["y", "z"]


def test_declare_nothing_is_accepted() -> None:
    graph = accepted(decide(graph_of(declared("a", "x")), declared("a")))
    assert len(graph) == 0
    assert "a" in graph.head.servers


def test_declare_unknown_upstream_is_accepted() -> None:
    graph = accepted(decide(NOTHING, declared("b", "y<-x")))
    assert graph.unresolved == {"x": ("y",)}
    assert accepted(decide(graph, declared("a", "x"))).unresolved == {}


def test_declare_name_of_other_server_is_refused() -> None:
    (problem,) = problems(decide(graph_of(declared("a", "x")), declared("b", "x")))
    assert problem.code == "owned_by_another"
    assert problem.path == ["x"]
    assert (
        problem.message
        == 'task "x" of b belongs to a: choose another name, or let a declare without it first'
    )


def test_declare_name_given_up_by_its_owner_is_accepted() -> None:
    graph = accepted(decide(graph_of(declared("a", "x")), declared("a", "y")))
    assert accepted(decide(graph, declared("b", "x"))).server_of("x") == "b"


def test_declare_cycle_across_servers_names_path_and_servers() -> None:
    (problem,) = problems(decide(graph_of(declared("a", "x<-y")), declared("b", "y<-x")))
    assert problem.code == "cycle"
    assert problem.path == ["y", "x", "y"]
    assert (
        problem.message
        == "tasks need each other: y (b) needs x (a) needs y (b): remove one of these upstreams"
    )


def test_declare_cycle_within_a_server_is_refused() -> None:
    (problem,) = problems(decide(NOTHING, declared("a", "x<-z y<-x z<-y free needs<-x")))
    assert (problem.code, problem.path) == ("cycle", ["x", "z", "y", "x"])


def test_declare_several_components_with_cycles_lists_each() -> None:
    listed = problems(decide(NOTHING, declared("a", "a<-b b<-a c<-d,a d<-c e<-c")))
    assert [problem.path for problem in listed] == [["a", "b", "a"], ["c", "d", "c"]]


def test_declare_disjoint_cycles_of_a_component_lists_both() -> None:
    listed = problems(decide(NOTHING, declared("a", "a<-b,d b<-a,c c<-d d<-c,a")))
    assert [problem.path for problem in listed] == [["a", "b", "a"], ["c", "d", "c"]]


def test_declare_cycle_shown_is_the_shortest() -> None:
    (problem, *_) = problems(decide(NOTHING, declared("a", "x<-p,z p<-q q<-x z<-x")))
    assert problem.path == ["x", "z", "x"]


def test_declare_huge_component_lists_some_cycles() -> None:
    pairs = " ".join(f"u{n}<-v{n},u{(n + 1) % 50} v{n}<-u{n}" for n in range(50))
    assert len(problems(decide(NOTHING, declared("a", pairs)))) == CYCLES_PER_COMPONENT_MAX


def test_declare_long_cycle_shows_its_ends() -> None:
    chain = " ".join(f"t{n}<-t{n + 1}" for n in range(999)) + " t999<-t0"
    (problem,) = problems(decide(NOTHING, declared("a", chain)))
    assert problem.path is not None
    assert len(problem.path) == 101
    assert problem.path[0] == problem.path[-1] == "t0"
    assert "..." in problem.path
    assert len(problem.message) < 1000


def test_declare_task_upstream_of_itself_is_a_cycle() -> None:
    (problem,) = problems(decide(NOTHING, declared("a", "x<-x")))
    assert (problem.code, problem.path) == ("cycle", ["x", "x"])
    assert problem.message == 'task "x" needs itself: remove it from its own upstream'


def test_declare_task_twice_is_refused() -> None:
    (problem,) = problems(decide(NOTHING, declared("a", "x x y")))
    assert (problem.code, problem.path) == ("duplicate_task", ["x"])


def test_declare_upstream_twice_is_refused() -> None:
    (problem,) = problems(decide(NOTHING, declared("a", "x y<-x,x")))
    assert (problem.code, problem.path) == ("duplicate_upstream", ["y", "x"])


def test_declare_refused_task_makes_no_cycle() -> None:
    assert codes(decide(graph_of(declared("a", "x y<-x")), declared("b", "x<-z z<-y"))) == [
        "owned_by_another"
    ]


def test_declare_accepted_declarations_get_no_problems() -> None:
    fresh, kept = {"b": declared("b", "y<-x")}, {"a": declared("a", "x<-y")}
    before = Graph.of(kept)
    assert list(conflicts.join(fresh, kept, before).problems) == ["b"]
    assert conflicts.join({}, kept, before).problems == {}


def test_declare_many_problems_lists_all() -> None:
    graph = graph_of(declared("a", "taken p<-q"))
    bad = declared(
        "b",
        "taken twice twice self<-self edges<-self,self q<-p",
        self={"params_schema": {"type": "string"}},
    )
    assert codes(decide(graph, bad)) == [
        "duplicate_task",
        "cycle",
        "duplicate_upstream",
        "bad_schema",
        "owned_by_another",
        "cycle",
    ]


def test_declare_too_many_problems_are_counted() -> None:
    listed = problems(
        decide(NOTHING, declared("a", " ".join(f"t{n}<-t{n}" for n in range(MAX_PROBLEMS + 50))))
    )
    assert len(listed) == MAX_PROBLEMS + 1
    assert (listed[-1].code, listed[-1].message) == ("more", "and 50 more problems of these kinds")


def test_declare_above_a_limit_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(validation, "MAX_DECLARATION_BYTES", 100)
    monkeypatch.setattr(validation, "MAX_TASKS", 3)
    monkeypatch.setattr(validation, "MAX_UPSTREAMS", 2)
    assert codes(decide(NOTHING, declared("a", "p q x<-p,q,r y"))) == [
        "too_large",
        "too_many_tasks",
        "too_many_upstreams",
    ]
    assert isinstance(decide(NOTHING, declared("a", "p q x<-p,q")), Accepted)


def test_declare_limits_are_those_of_the_rules() -> None:
    assert (
        MAX_DECLARATION_BYTES,
        validation.MAX_TASKS,
        validation.MAX_UPSTREAMS,
    ) == (921_600, 10_000, 10_000)
    assert conflicts.MAX_TASKS_IN_GRAPH == 200_000


def test_declare_above_the_limit_of_the_graph_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conflicts, "MAX_TASKS_IN_GRAPH", 3)
    graph = graph_of(declared("a", "x y"))
    assert codes(decide(graph, declared("b", "p q"))) == ["graph_full"]
    assert isinstance(decide(graph, declared("b", "p")), Accepted)


@given(st.integers(0, 10_000), st.integers(2, 12))
def test_declare_cycle_is_found_exactly_if_networkx_finds_one(seed: int, size: int) -> None:
    rng = random.Random(seed)
    edges = {
        n: sorted(set(rng.choices([m for m in range(size) if m != n], k=rng.randrange(3))))
        for n in range(size)
    }
    servers: dict[str, list[str]] = {"a": [], "b": []}
    for n, ups in edges.items():
        servers[rng.choice("ab")].append(
            f"t{n}<-{','.join(f't{up}' for up in ups)}" if ups else f"t{n}"
        )
    network: nx.DiGraph[int] = nx.DiGraph([(n, up) for n, ups in edges.items() for up in ups])
    first = decide(NOTHING, declared("a", " ".join(servers["a"])))
    if isinstance(first, Accepted):
        outcome = decide(first.graph, declared("b", " ".join(servers["b"])))
        assert isinstance(outcome, Accepted) == nx.is_directed_acyclic_graph(network)
    else:
        outcome = first
    for problem in problems(outcome) if isinstance(outcome, Rejected) else ():
        assert problem.code == "cycle"
        assert problem.path is not None
        assert problem.path[0] == problem.path[-1]
        steps = [int(name[1:]) for name in problem.path]
        assert all(network.has_edge(one, other) for one, other in pairwise(steps))
