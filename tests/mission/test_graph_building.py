"""Graph building: cerebro folds the declarations of many servers into one graph."""

from cordyna_core.contract.base import Problem
from cordyna_core.contract.state_updates import (
    DeclarationAccepted,
    DeclarationRejected,
    InvocationRejected,
)
from world.scenarios import EngineWorld, an_engine


def test_declarations_of_several_servers_make_one_graph() -> None:
    world = an_engine("a: x  y", "b: z<-x,y  w<-z")

    graph = world.driver.home.store.read_graph()

    assert set(graph) == {"x", "y", "z", "w"}
    assert graph.server_of("z") == "b"
    assert graph["z"].task.upstream_names == ("x", "y")


def test_accepted_servers_are_answered_with_generation() -> None:
    world = an_engine("a: x", "b: y<-x")

    accepted = [envelope.message for envelope in world.driver.events_of(DeclarationAccepted)]

    assert [
        (answer.server, answer.generation)
        for answer in accepted
        if isinstance(answer, DeclarationAccepted)
    ] == [("a", 1), ("b", 1)]


def test_cycle_across_servers_is_rejected_with_its_path() -> None:
    world = an_engine("a: x", "b: y<-x")

    problems = world.driver.declare("a: x<-y", "b: y<-x")

    (cycle,) = [problem for problem in problems if problem.code == "cycle"]
    assert cycle.path is not None
    assert cycle.path[0] == cycle.path[-1]
    assert set(cycle.path) == {"x", "y"}
    assert "a" in cycle.message
    assert "b" in cycle.message
    assert world.driver.home.store.read_graph()["x"].task.upstream_names == ()
    assert len(world.driver.events_of(DeclarationRejected)) >= 1


def test_task_owned_by_other_server_is_rejected() -> None:
    world = an_engine()

    problems = world.driver.declare("a: x", "b: y  x")

    assert "owned_by_another" in {problem.code for problem in problems}


def test_unknown_upstream_is_accepted_and_named_when_invoked() -> None:
    world = an_engine()

    assert world.driver.declare("a: x<-report") == []
    assert "report" in {p.path[-1] for p in _refusal(world, "x") if p.path}


def _refusal(world: EngineWorld, task: str) -> list[Problem]:
    world.invoke(task)
    (refused,) = [envelope.message for envelope in world.driver.events_of(InvocationRejected)]
    assert isinstance(refused, InvocationRejected)
    return refused.problems
