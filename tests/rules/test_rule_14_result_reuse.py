"""Rule 14: a fresh enough result is reused (docs/rules.md, rule 14)."""

from typing import Any

import pytest

from cerebro.core.planning import planner
from cerebro.core.run import fan_out
from cordyna_core.contract.commands import InvokeTask
from cordyna_core.contract.ids import CLIENT, derived_id, run_id_of
from cordyna_core.contract.state_updates import RunStateChanged
from world.reuse import FRESH, HOUR, fresh, run_through
from world.scenarios import a_world


def test_fresh_result_is_reused_with_its_output() -> None:
    world = a_world("a  b<-a", **FRESH)
    run_through(world, "b", "a", "b")
    world.after(HOUR)
    world.run_id = world.invoke("b")
    assert world.state_of("a") == "completed reused"
    assert world.sent[2:] == [("b", 1)]
    assert world.published[-1].upstream == {"a": "a's"}  # type: ignore[attr-defined]


@pytest.mark.parametrize(("declared", "is_recorded"), [(FRESH, True), ({}, False)])
def test_only_a_result_that_may_be_reused_is_recorded(
    declared: dict[str, Any], *, is_recorded: bool
) -> None:
    """A record is a write of the store for each task run."""
    world = a_world("a  b<-a", **declared)
    run_through(world, "b", "a", "b")
    snapshot = world.store.read_run_snapshot(world.run_id)
    assert snapshot is not None
    recorded = world.store.read_cached_result("a", snapshot.fingerprints[0])
    assert (recorded is not None) is is_recorded


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


def test_results_behind_a_join_are_reused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(planner, "MAX_AWAITED", 2)
    world = a_world("a  b  c  d<-a,b,c", d={"upstream": [fresh("a"), fresh("b"), fresh("c")]})
    run_through(world, "d", "a", "b", "c", "d")
    world.run_id = world.invoke("d")
    assert [world.state_of(task) for task in "abc"] == ["completed reused"] * 3


def test_result_whose_output_is_gone_is_not_reused() -> None:
    world = a_world("a  b<-a", **FRESH)
    world.run_id = world.invoke("b")
    world.reach("a", "completed", output="x" * 1000)
    world.reach("b", "completed")
    world.store._outputs.clear()  # type: ignore[attr-defined]
    world.run_id = world.invoke("b")
    assert world.state_of("a") == "pending dispatched"


def test_large_reused_output_outlives_the_run_it_came_from() -> None:
    world = a_world("a  b<-a", **FRESH)
    first = world.invoke("b")
    world.reach("a", "completed", output="x" * 1000)
    world.reach("b", "completed")
    world.run_id = world.invoke("b")
    world.store.prune_runs([first])  # type: ignore[attr-defined]
    assert world.task("a").output == "x" * 1000


def test_end_of_reused_target_is_published_after_a_crash() -> None:
    for effects in range(1, 30):
        world = a_world("a")
        run_through(world, "a", "a")
        published = len(world.published)
        command = world.envelope(InvokeTask(task="a", key="k2", max_age_s=HOUR), CLIENT)
        done = world.driver.crash(command, after=effects)
        world.handle(command)
        states = [m.state for m in world.published[published:] if isinstance(m, RunStateChanged)]
        assert "completed" in states, effects
        ids = {
            m.meta.id
            for m in world.published[published:]
            if isinstance(m, RunStateChanged) and m.state == "completed" and m.meta
        }
        assert derived_id("RunStateChanged", run_id_of("a", "k2"), "completed", 0) in ids, effects
        if done < effects:
            return
    raise AssertionError("the command did not end within 30 effects")


def test_task_after_two_reused_ones_is_sent_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Both lead to it in one walk; in groups of one, the second would send it again."""
    monkeypatch.setattr(fan_out, "COMMANDS_PER_GROUP", 1)
    both: dict[str, Any] = {
        "c": {"upstream": [{"task": "a", "within_s": HOUR}, {"task": "b", "within_s": HOUR}]}
    }
    world = a_world("a  b  c<-a,b", **both)
    run_through(world, "c", "a", "b", "c")
    world.run_id = world.invoke("c")
    assert world.sent[3:] == [("c", 1)]


@pytest.mark.parametrize(("seconds", "state"), [(0, "completed reused"), (1, "pending dispatched")])
def test_result_of_exactly_the_age_is_reused(seconds: int, state: str) -> None:
    world = a_world("a  b<-a", **FRESH)
    run_through(world, "b", "a", "b")
    world.after(6 * HOUR + seconds)
    world.run_id = world.invoke("b")
    assert world.state_of("a") == state


@pytest.mark.parametrize(
    ("after_s", "state"), [(HOUR, "completed reused"), (HOUR + 1, "pending dispatched")]
)
def test_strictest_of_two_edges_decides(after_s: int, state: str) -> None:
    edges = {
        name: {"upstream": [{"task": "a", "within_s": age}]}
        for name, age in (("b", HOUR), ("c", 6 * HOUR))
    }
    world = a_world("a  b<-a  c<-a  d<-b,c", **edges)
    run_through(world, "d", "a", "b", "c", "d")
    world.after(after_s)
    world.run_id = world.invoke("d")
    assert world.state_of("a") == state


@pytest.mark.parametrize("max_age_s", [HOUR, 12 * HOUR])
def test_age_of_invocation_only_extends_that_of_edges(max_age_s: int) -> None:
    world = a_world("a  b<-a", **FRESH)
    run_through(world, "b", "a", "b")
    world.after(max(max_age_s, 6 * HOUR) - 60)
    world.run_id = world.invoke("b", max_age_s=max_age_s)
    reused = {name for name, state in world.states().items() if state == "completed reused"}
    assert reused == ({"a"} if max_age_s == HOUR else {"b"})
