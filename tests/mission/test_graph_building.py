"""Graph building: many servers declare themselves, and cerebro folds them into one graph."""

from cordyna_core.contract.base import Problem
from cordyna_core.contract.state_updates import (
    DeclarationAccepted,
    DeclarationRejected,
    InvocationRejected,
)
from mission.stage import Stage


def test_declarations_of_several_servers_make_one_graph() -> None:
    stage = Stage("a: x  y", "b: z<-x,y  w<-z")

    graph = stage.home.store.read_graph()

    assert set(graph) == {"x", "y", "z", "w"}
    assert graph.server_of("z") == "b"
    assert graph["z"].task.upstream_names == ("x", "y")


def test_every_server_is_told_that_it_was_accepted_and_in_which_generation() -> None:
    stage = Stage("a: x", "b: y<-x")

    accepted = [envelope.message for envelope in stage.said(DeclarationAccepted)]

    assert [
        (each.server, each.generation) for each in accepted if isinstance(each, DeclarationAccepted)
    ] == [("a", 1), ("b", 1)]


def test_a_cycle_across_servers_is_rejected_with_its_path_and_the_last_good_graph_stays() -> None:
    stage = Stage("a: x", "b: y<-x")

    problems = stage.declare("a: x<-y", "b: y<-x")

    (cycle,) = [problem for problem in problems if problem.code == "cycle"]
    assert cycle.path is not None
    assert cycle.path[0] == cycle.path[-1]
    assert set(cycle.path) == {"x", "y"}
    assert "a" in cycle.message
    assert "b" in cycle.message
    assert stage.home.store.read_graph()["x"].task.upstream_names == ()
    assert len(stage.said(DeclarationRejected)) >= 1


def test_a_task_that_another_server_owns_is_refused_by_name() -> None:
    stage = Stage("a: x", "b: y  x")

    assert "owned_by_another" in {problem.code for problem in stage.rejected}


def test_an_unknown_upstream_is_accepted_and_invoking_through_it_is_refused_with_what_is_missing() -> (
    None
):
    stage = Stage("a: x<-report")

    assert stage.rejected == []
    assert "report" in {p.path[-1] for p in _refusal(stage, "x") if p.path}


def _refusal(stage: Stage, task: str) -> list[Problem]:
    stage.invoke(task)
    (refused,) = [envelope.message for envelope in stage.said(InvocationRejected)]
    assert isinstance(refused, InvocationRejected)
    return refused.problems
