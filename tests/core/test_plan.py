"""Plan: the closure in topological order, joins for wide fan-ins, and why there can be no plan."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cerebro.core.graph.graph import Graph
from cerebro.core.model.plan import Plan
from cerebro.core.planning.planner import MAX_AWAITED, plan_invocation
from cerebro.core.views import plan_view
from cordyna_core.contract.base import Problem
from world.declarations import a_graph, declared, graph_of, params, planned


def refused(graph: Graph, target: str) -> tuple[Problem, ...]:
    problems = plan_invocation(graph, target)
    assert not isinstance(problems, Plan)
    return problems


def wide(upstreams: int) -> Graph:
    names = [f"u{n}" for n in range(upstreams)]
    return a_graph(" ".join(names) + f" x<-{','.join(names)}")


def test_plan_is_the_ordered_closure_with_target_last() -> None:
    plan = planned(a_graph("a b<-a c<-a,b other<-c"), "c")
    assert [task.name for task in plan.tasks] == ["a", "b", "c"]
    assert [task.upstream for task in plan.tasks] == [(), (0,), (0, 1)]
    assert [task.awaits for task in plan.tasks] == [(), (0,), (0, 1)]
    assert plan.target == 2


def test_plan_task_has_its_declared_fields() -> None:
    fields = {
        "retries": 2,
        "ack_timeout_s": 5,
        "start_timeout_s": 50,
        "run_timeout_s": 500,
        "owner": "team-a",
        **params("day", n="integer"),
    }
    graph = graph_of(declared("a", "x", x=fields))
    (task,) = planned(graph, "x").tasks
    assert (task.server, task.owner, task.retries) == ("a", "team-a", 2)
    assert (task.ack_timeout_s, task.start_timeout_s, task.run_timeout_s) == (5, 50, 500)
    assert task.params == ("n", "day")
    assert task.version == graph.version_of_task("x")


def test_plan_of_same_closure_has_the_same_id() -> None:
    one = planned(graph_of(declared("a", "x"), declared("b", "y<-x")), "y")
    other = planned(graph_of(declared("b", "y<-x more"), declared("a", "x z")), "y")
    assert one.id == other.id
    assert (
        one.id
        != planned(graph_of(declared("a", "x", x={"retries": 1}), declared("b", "y<-x")), "y").id
    )


def test_plan_of_unknown_task_names_near_ones() -> None:
    (problem,) = refused(a_graph("task-1 task-2 report"), "task1")
    assert (problem.code, problem.path) == ("unknown_task", ["task1"])
    assert problem.message == 'task "task1" is declared by no server: did you mean task-1, task-2?'


def test_plan_of_unlike_task_names_the_list() -> None:
    (problem,) = refused(a_graph("task-1"), "wholly-other")
    assert (
        problem.message
        == 'task "wholly-other" is declared by no server: `dyna tasks` lists the declared ones'
    )


def test_near_names_are_found_among_200000() -> None:
    (problem,) = refused(a_graph(" ".join(f"task-{n}" for n in range(3000))), "tsak-77")
    assert "dyna tasks" in problem.message
    (problem,) = refused(a_graph(" ".join(f"task-{n}" for n in range(3000))), "task-x77")
    assert "task-77" in problem.message


def test_plan_unresolved_lists_dependents_and_paths() -> None:
    graph = graph_of(declared("a", "x<-report y<-x,report"), declared("b", "z<-y,other"))
    assert [(problem.code, problem.path) for problem in refused(graph, "z")] == [
        ("unresolved_upstream", ["z", "y", "report"]),
        ("unresolved_upstream", ["z", "other"]),
    ]
    assert refused(graph, "z")[0].message == (
        'task "z" cannot be invoked: upstream "report" is declared by no server, '
        "needed by x (a), y (a): declare it on a server, or remove it from upstream"
    )


def test_plan_ignores_unresolved_outside_the_closure() -> None:
    assert planned(a_graph("x y<-gone"), "x").size == 1


def test_plan_fan_in_of_100_needs_no_join() -> None:
    plan = planned(wide(100), "x")
    assert plan.size == 101
    assert not any(task.is_join for task in plan.tasks)


def test_plan_fan_in_of_101_has_two_joins() -> None:
    plan = planned(wide(101), "x")
    assert [task.name for task in plan.tasks[101:]] == ["x#join-1-0", "x#join-1-1", "x"]
    one, other, target = plan.tasks[101:]
    assert one.is_join
    assert (one.upstream, one.server) == ((), "")
    assert (*one.awaits, *other.awaits) == tuple(range(101))
    assert target.awaits == (101, 102)
    assert target.upstream == tuple(range(101))


def test_plan_join_awaits_neighbours_of_the_plan() -> None:
    names = [f"u{n}" for n in range(101)]
    graph = a_graph(
        "root "
        + " ".join(f"{name}<-root" if n % 2 else name for n, name in enumerate(names))
        + f" x<-{','.join(names)}"
    )
    plan = planned(graph, "x")
    joins = [task.awaits for task in plan.tasks if task.is_join]
    assert [tuple(sorted(awaits)) for awaits in joins] == joins
    assert joins[0][-1] < joins[1][0]
    assert [plan.tasks[up].name for up in plan.tasks[-1].upstream] == names


def test_plan_widest_fan_in_is_a_tree_of_joins() -> None:
    plan = planned(wide(9_999), "x")
    assert max(len(task.awaits) for task in plan.tasks) == MAX_AWAITED
    assert plan.size == 9_999 + 100 + 1


def test_plan_join_of_joins_comes_after_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cerebro.core.planning.planner.MAX_AWAITED", 3)
    plan = planned(wide(10), "x")
    assert [task.name for task in plan.tasks[10:]] == [
        *(f"x#join-1-{n}" for n in range(4)),
        "x#join-2-0",
        "x#join-2-1",
        "x",
    ]
    assert [task.awaits for task in plan.tasks[14:]] == [(10, 11), (12, 13), (14, 15)]


@given(
    st.lists(st.sets(st.integers(0, 100), max_size=9), min_size=1, max_size=25), st.integers(2, 4)
)
def test_plan_of_any_fan_in_has_one_sink(drawn: list[set[int]], widest: int) -> None:
    edges = [sorted({pick % n for pick in picks}) if n else [] for n, picks in enumerate(drawn)]
    graph = a_graph(
        " ".join(
            f"t{n}<-{','.join(f't{up}' for up in ups)}" if ups else f"t{n}"
            for n, ups in enumerate(edges)
        )
    )
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("cerebro.core.planning.planner.MAX_AWAITED", widest)
        plan = planned(graph, f"t{len(edges) - 1}")
    leaves: list[set[int]] = []
    for index, task in enumerate(plan.tasks):
        assert len(task.awaits) <= widest
        assert all(up < index for up in (*task.awaits, *task.upstream))
        reached = set().union(
            *(leaves[up] if plan.tasks[up].is_join else {up} for up in task.awaits)
        )
        assert task.is_join or reached == set(task.upstream)
        leaves.append(reached)
    assert [index for index, users in enumerate(plan.downstream) if not users] == [plan.target]


def test_plan_view_has_levels_and_no_joins() -> None:
    view = plan_view(planned(wide(101), "x"))
    assert view.task == "x"
    assert len(view.tasks) == 102
    assert view.tasks[-1].level == 1
    assert view.tasks[-1].upstream == [f"u{n}" for n in range(101)]


def test_plan_view_level_is_the_longest_path() -> None:
    plan = planned(a_graph("a b<-a c<-b d<-a,c"), "d")
    assert plan.levels == (0, 1, 2, 3)
