"""Rule 14: a fresh enough result is reused (docs/rules.md, rule 14)."""

from typing import Any

from world.scenarios import ReactionWorld, a_world

HOUR = 3600
FRESH: dict[str, Any] = {"b": {"upstream": [{"task": "a", "within_s": 6 * HOUR}]}}


def run_through(world: ReactionWorld, task: str, *names: str, **more: Any) -> str:
    world.run_id = world.invoke(task, **more)
    for name in names:
        world.reach(name, "completed", output=f"{name}'s")
    return world.run_id


def test_fresh_result_is_reused_with_its_output() -> None:
    world = a_world("a  b<-a", **FRESH)
    run_through(world, "b", "a", "b")
    world.after(HOUR)
    world.run_id = world.invoke("b")
    assert world.state_of("a") == "completed reused"
    assert world.sent[2:] == [("b", 1)]
    assert world.published[-1].upstream == {"a": "a's"}  # type: ignore[attr-defined]


def test_result_too_old_is_not_reused() -> None:
    world = a_world("a  b<-a", **FRESH)
    run_through(world, "b", "a", "b")
    world.after(6 * HOUR + 1)
    world.run_id = world.invoke("b")
    assert world.state_of("a") == "pending dispatched"


def test_result_age_counts_from_dispatch() -> None:
    world = a_world("a  b<-a", **FRESH)
    world.run_id = world.invoke("b")
    world.report("a", "started")
    world.after(20 * 60)
    world.report("a", "completed")
    world.after(6 * HOUR - 10 * 60)
    world.run_id = world.invoke("b")
    assert world.state_of("a") == "pending dispatched"


def test_edge_without_fresh_runs_upstream_again() -> None:
    world = a_world("a  b<-a")
    run_through(world, "b", "a", "b")
    world.run_id = world.invoke("b")
    assert world.state_of("a") == "pending dispatched"


def test_upstream_of_reused_task_is_not_run() -> None:
    world = a_world("z  a<-z  b<-a", **FRESH)
    run_through(world, "b", "z", "a", "b")
    world.run_id = world.invoke("b")
    assert [task.task for task in world.run().tasks] == ["a", "b"]


def test_reused_task_lets_its_upstream_be_reused() -> None:
    both: dict[str, Any] = {
        "c": {"upstream": [{"task": "a", "within_s": HOUR}, {"task": "b", "within_s": HOUR}]}
    }
    world = a_world("a  b<-a  c<-a,b", **both)
    run_through(world, "c", "a", "b", "c")
    world.run_id = world.invoke("c")
    assert (world.state_of("a"), world.state_of("b")) == ("completed reused", "completed reused")


def test_task_that_runs_needs_new_result_of_upstream() -> None:
    both: dict[str, Any] = {
        "c": {"upstream": [{"task": "a", "within_s": HOUR}, {"task": "b", "within_s": 1}]}
    }
    world = a_world("a  b<-a  c<-a,b", **both)
    run_through(world, "c", "a", "b", "c")
    world.after(10)
    world.run_id = world.invoke("c")
    assert (world.state_of("a"), world.state_of("b")) == ("pending dispatched", "pending waiting")


def test_max_age_lets_target_be_reused() -> None:
    world = a_world("a")
    run_through(world, "a", "a")
    world.run_id = world.invoke("a", max_age_s=HOUR)
    assert world.run().state == "completed"
    assert world.sent == [("a", 1)]


def test_result_of_other_declaration_is_not_reused() -> None:
    world = a_world("a  b<-a", **FRESH)
    run_through(world, "b", "a", "b")
    world.declare(
        "s", "a  b<-a", revision=1, a={"description": "it does something else now"}, **FRESH
    )
    world.run_id = world.invoke("b")
    assert world.state_of("a") == "pending dispatched"


def test_result_of_other_params_is_not_reused() -> None:
    schema = {"type": "object", "properties": {"day": {"type": "string"}}}
    world = a_world("a  b<-a", a={"params_schema": schema}, **FRESH)
    run_through(world, "b", "a", "b", params={"day": "monday"})
    world.run_id = world.invoke("b", params={"day": "sunday"})
    assert world.state_of("a") == "pending dispatched"


def test_failed_task_is_never_reused() -> None:
    world = a_world("a  b<-a", **FRESH)
    world.run_id = world.invoke("b")
    world.reach("a", "error")
    world.run_id = world.invoke("b")
    assert world.state_of("a") == "pending dispatched"


def test_large_result_is_reused() -> None:
    world = a_world("a  b<-a", **FRESH)
    world.run_id = world.invoke("b")
    world.reach("a", "completed", output="x" * 5000)
    world.run_id = world.invoke("b")
    assert world.published[-1].upstream == {"a": "x" * 5000}  # type: ignore[attr-defined]
