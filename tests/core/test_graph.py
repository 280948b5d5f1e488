"""Graph: what is known of all accepted declarations, and the order of a closure."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cerebro.core.graph.graph import Graph
from cerebro.core.graph.versions import Head, version_of
from cordyna_core.contract.base import Meta
from world.declarations import a_graph, declared, graph_of


def test_graph_has_owner_and_declaration_of_each_task() -> None:
    graph = graph_of(declared("a", "x"), declared("b", "y<-x", y={"owner": "team-b"}))
    assert len(graph) == 2
    assert graph.server_of("y") == "b"
    assert graph["y"].task.owner == "team-b"
    assert graph.get("undeclared") is None
    assert graph.server_of("undeclared") is None
    assert "x" in graph
    assert "undeclared" not in graph


def test_graph_empty_is_generation_0() -> None:
    assert Graph.of({}).head == Head(0, {})
    assert list(Graph.of({})) == []


def test_graph_head_names_the_version_of_every_server() -> None:
    a, b = declared("a", "x"), declared("b", "y")
    assert graph_of(a, b).head == Head(1, {"a": version_of(a), "b": version_of(b)})


def test_graph_next_has_the_versions_of_what_changed() -> None:
    a, b, other = declared("a", "x"), declared("b", "y"), declared("b", "y", y={"retries": 1})
    graph = graph_of(a, b)
    assert graph.head.servers == {"a": version_of(a), "b": version_of(b)}
    changed = graph.with_servers({"a": a, "b": other})
    assert changed.head.servers == {"a": version_of(a), "b": version_of(other)}


def test_graph_next_has_the_next_generation() -> None:
    graph = graph_of(declared("a", "x"))
    assert graph.with_servers({"b": declared("b", "y")}).generation == graph.generation + 1
    assert graph.with_servers({}, generation=7).generation == 7
    assert list(graph) == ["x"]


def test_version_depends_on_content_and_revision_only() -> None:
    first = declared("a", "x")
    assert version_of(first) == version_of(first.model_copy(update={"meta": Meta(id="another")}))
    assert version_of(first) != version_of(declared("a", "y"))
    assert version_of(first) != version_of(declared("a", "x", revision=1))


def test_task_version_depends_on_server_and_declaration() -> None:
    version = graph_of(declared("a", "x")).version_of_task("x")
    assert version == graph_of(declared("a", "x y")).version_of_task("x")
    assert version != graph_of(declared("b", "x")).version_of_task("x")
    assert version != graph_of(declared("a", "x", x={"retries": 1})).version_of_task("x")


def test_graph_unresolved_lists_all_dependents() -> None:
    graph = graph_of(declared("a", "x<-gone y<-x,gone"), declared("b", "z<-away,x"))
    assert graph.unresolved == {"gone": ("x", "y"), "away": ("z",)}


def test_graph_crons_are_the_tasks_with_a_cron() -> None:
    graph = graph_of(declared("a", "x y", y={"cron": "0 6 * * *"}))
    assert [(server, task.name) for server, task in graph.crons] == [("a", "y")]


def test_closure_is_everything_upstream() -> None:
    closure = a_graph("a  b<-a  c<-b  d<-b  other").closure("c")
    assert closure.names == ("a", "b", "c")
    assert closure.upstream == ((), (0,), (1,))


def test_closure_is_ordered_by_level_then_as_declared() -> None:
    closure = a_graph("late<-early  early  other  x<-other,early,late").closure("x")
    assert closure.names == ("other", "early", "late", "x")


def test_closure_undeclared_upstream_raises_no_level() -> None:
    assert a_graph("q p<-q x<-gone t<-p,x").closure("t").names == ("x", "q", "p", "t")


def test_closure_upstreams_stay_in_declared_order() -> None:
    closure = a_graph("p  q<-p  r  x<-r,q,p").closure("x")
    assert [closure.names[index] for index in closure.upstream[-1]] == ["r", "q", "p"]


def test_closure_is_independent_of_server_order() -> None:
    a, b, c = declared("a", "x y"), declared("b", "v<-y,x w<-x"), declared("c", "z<-w,v")
    assert graph_of(a, b, c).closure("z") == graph_of(c, b, a).closure("z")


def test_graph_is_ordered_by_server_name() -> None:
    assert list(graph_of(declared("b", "p"), declared("a", "r q"))) == ["r", "q", "p"]


def test_closure_lists_missing_tasks_with_paths() -> None:
    graph = graph_of(declared("a", "x<-gone y<-x z<-y,gone2"), declared("b", "elsewhere<-other"))
    assert graph.closure("z").missing == {"gone": ("x",), "gone2": ("z",)}
    assert graph.shortest_paths_to_unresolved("z") == {
        "gone2": ["z", "gone2"],
        "gone": ["z", "y", "x", "gone"],
    }


def test_closure_of_undeclared_task_raises() -> None:
    with pytest.raises(KeyError):
        a_graph("x").closure("y")


def test_order_fails_for_cycles_and_their_upstream() -> None:
    assert a_graph("x<-y y<-x,z z free").without_order == ("x", "y", "z")
    assert a_graph("x y<-x").without_order == ()


def test_graph_of_tasks_that_need_each_other_has_a_cycle() -> None:
    assert a_graph("x<-y y<-x,z z<-gone above<-x free<-z").has_cycle
    assert a_graph("self<-self free").has_cycle
    assert not a_graph("y<-z z<-gone above<-y free<-z").has_cycle


def test_order_diamond_of_unequal_paths_is_no_cycle() -> None:
    assert not a_graph("x<-y,z y<-z z<-w w v<-x,w").has_cycle


def test_order_of_very_long_chain_exists() -> None:
    graph = a_graph("t0 " + " ".join(f"t{n}<-t{n - 1}" for n in range(1, 9_999)))
    assert not graph.has_cycle
    assert graph.closure("t9998").names == tuple(f"t{n}" for n in range(9_999))


@given(
    st.lists(st.lists(st.integers(0, 1000), max_size=4), min_size=1, max_size=40),
    st.randoms(use_true_random=False),
)
def test_closure_of_any_graph_has_upstreams_first(drawn: list[list[int]], rng: object) -> None:
    edges = [
        sorted({pick % index for pick in picks}) if index else []
        for index, picks in enumerate(drawn)
    ]
    tasks = [
        f"t{index}<-{','.join(f't{up}' for up in upstream)}" if upstream else f"t{index}"
        for index, upstream in enumerate(edges)
    ]
    rng.shuffle(tasks)  # type: ignore[attr-defined]
    target = len(edges) - 1
    closure = a_graph(" ".join(tasks)).closure(f"t{target}")

    expected, todo = {target}, [target]
    for index in todo:
        todo += [up for up in edges[index] if up not in expected]
        expected.update(edges[index])
    assert set(closure.names) == {f"t{index}" for index in expected}
    assert closure.names[-1] == f"t{target}"
    for index, upstream in enumerate(closure.upstream):
        assert [closure.names[up] for up in upstream] == [
            f"t{up}" for up in edges[int(closure.names[index][1:])]
        ]
        assert all(up < index for up in upstream)
