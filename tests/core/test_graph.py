"""Graph: what is known of all accepted declarations, and the order of a closure."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cerebro.core.graph.graph import Graph, Head, version_of
from cordyna_core.contract.base import Meta
from world.declarations import a_graph, declared, graph_of


def test_a_graph_knows_who_owns_a_task_and_what_it_declares() -> None:
    graph = graph_of(declared("a", "x"), declared("b", "y<-x", y={"owner": "team-b"}))
    assert len(graph) == 2
    assert graph.server_of("y") == "b"
    assert graph["y"].task.owner == "team-b"
    assert graph.get("nobodys") is None
    assert graph.server_of("nobodys") is None
    assert "x" in graph
    assert "nobodys" not in graph


def test_a_graph_of_nothing_is_of_generation_0() -> None:
    assert Graph.of({}).head == Head(0, {})
    assert list(Graph.of({})) == []


def test_the_head_names_the_version_of_every_server() -> None:
    a, b = declared("a", "x"), declared("b", "y")
    assert graph_of(a, b).head == Head(1, {"a": version_of(a), "b": version_of(b)})


def test_the_next_graph_is_of_the_next_generation() -> None:
    graph = graph_of(declared("a", "x"))
    assert graph.with_servers({"b": declared("b", "y")}).generation == graph.generation + 1
    assert graph.with_servers({}, generation=7).generation == 7
    assert list(graph) == ["x"]


def test_a_version_is_of_the_content_and_the_revision_but_not_of_the_message() -> None:
    first = declared("a", "x")
    assert version_of(first) == version_of(first.model_copy(update={"meta": Meta(id="another")}))
    assert version_of(first) != version_of(declared("a", "y"))
    assert version_of(first) != version_of(declared("a", "x", revision=1))


def test_the_version_of_a_task_is_of_its_server_and_what_it_declares() -> None:
    version = graph_of(declared("a", "x")).version_of_task("x")
    assert version == graph_of(declared("a", "x y")).version_of_task("x")
    assert version != graph_of(declared("b", "x")).version_of_task("x")
    assert version != graph_of(declared("a", "x", x={"retries": 1})).version_of_task("x")


def test_unresolved_names_come_with_all_who_need_them() -> None:
    graph = graph_of(declared("a", "x<-gone y<-x,gone"), declared("b", "z<-away,x"))
    assert graph.unresolved == {"gone": ("x", "y"), "away": ("z",)}


def test_the_crons_are_the_tasks_that_run_by_themselves() -> None:
    graph = graph_of(declared("a", "x y", y={"cron": "0 6 * * *"}))
    assert [(server, task.name) for server, task in graph.crons] == [("a", "y")]


def test_a_closure_is_everything_upstream_and_nothing_else() -> None:
    closure = a_graph("a  b<-a  c<-b  d<-b  other").closure("c")
    assert closure.names == ("a", "b", "c")
    assert closure.upstream == ((), (0,), (1,))


def test_a_closure_is_ordered_by_level_and_then_as_it_is_declared() -> None:
    closure = a_graph("late<-early  early  other  x<-other,early,late").closure("x")
    assert closure.names == ("other", "early", "late", "x")


def test_an_upstream_that_nobody_declares_raises_no_level() -> None:
    assert a_graph("q p<-q x<-gone t<-p,x").closure("t").names == ("x", "q", "p", "t")


def test_the_upstreams_of_a_task_stay_in_declared_order() -> None:
    closure = a_graph("p  q<-p  r  x<-r,q,p").closure("x")
    assert [closure.names[index] for index in closure.upstream[-1]] == ["r", "q", "p"]


def test_a_closure_does_not_depend_on_the_order_of_the_servers() -> None:
    a, b, c = declared("a", "x y"), declared("b", "v<-y,x w<-x"), declared("c", "z<-w,v")
    assert graph_of(a, b, c).closure("z") == graph_of(c, b, a).closure("z")


def test_a_graph_is_in_the_order_of_the_names_of_its_servers() -> None:
    assert list(graph_of(declared("b", "p"), declared("a", "r q"))) == ["r", "q", "p"]


def test_a_closure_tells_what_is_missing_and_the_way_to_it() -> None:
    graph = graph_of(declared("a", "x<-gone y<-x z<-y,gone2"), declared("b", "elsewhere<-other"))
    assert graph.closure("z").missing == {"gone": ("x",), "gone2": ("z",)}
    assert graph.ways_down("z") == {"gone2": ["z", "gone2"], "gone": ["z", "y", "x", "gone"]}


def test_the_closure_of_what_nobody_declares_is_an_error() -> None:
    with pytest.raises(KeyError):
        a_graph("x").closure("y")


def test_what_has_no_order_is_the_cycle_and_what_it_needs() -> None:
    assert a_graph("x<-y y<-x,z z free").without_order == ("x", "y", "z")
    assert a_graph("x y<-x").without_order == ()


def test_whether_there_is_an_order_is_asked_of_some_tasks_and_what_they_need() -> None:
    graph = a_graph("x<-y y<-x,z z<-gone above<-x self<-self free<-z")
    assert graph.has_order([])
    assert graph.has_order(["free", "z"])
    assert [name for name in graph if not graph.has_order([name])] == ["x", "y", "above", "self"]
    assert not graph.has_order(["free", "above"])


def test_what_two_tasks_need_on_ways_of_different_lengths_is_no_cycle() -> None:
    assert a_graph("x<-y,z y<-z z<-w w v<-x,w").has_order(["v", "x", "w"])


def test_a_chain_deeper_than_any_stack_has_an_order() -> None:
    graph = a_graph("t0 " + " ".join(f"t{n}<-t{n - 1}" for n in range(1, 9_999)))
    assert graph.has_order(["t9998"])
    assert graph.closure("t9998").names == tuple(f"t{n}" for n in range(9_999))


@given(
    st.lists(st.lists(st.integers(0, 1000), max_size=4), min_size=1, max_size=40),
    st.randoms(use_true_random=False),
)
def test_in_any_closure_upstreams_come_first_and_the_target_last(
    drawn: list[list[int]], luck: object
) -> None:
    edges = [
        sorted({pick % index for pick in picks}) if index else []
        for index, picks in enumerate(drawn)
    ]
    tasks = [
        f"t{index}<-{','.join(f't{up}' for up in upstream)}" if upstream else f"t{index}"
        for index, upstream in enumerate(edges)
    ]
    luck.shuffle(tasks)  # type: ignore[attr-defined]
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
