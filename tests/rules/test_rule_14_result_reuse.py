"""Rule 14: a fresh enough result is reused (docs/rules.md, rule 14)."""

from typing import Any

import pytest

from cerebro.core.planning import planner
from cerebro.core.run import dispatch
from cordyna_core.contract.commands import InvokeTask
from cordyna_core.contract.declaration import TaskDeclaration
from cordyna_core.contract.ids import CLIENT, derived_id, run_id_of, server_source
from cordyna_core.contract.state_updates import RunStateChanged
from world.reactions import Reactions
from world.scenarios import ReactionWorld, a_world
from world.world import World

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


DAY_SCHEMA: dict[str, Any] = {"type": "object", "properties": {"day": {"type": "string"}}}


def a_chain_with_day() -> ReactionWorld:
    """c<-b<-a, of which only a takes the parameter `day`; c accepts a reused b."""
    edge = {"upstream": [{"task": "b", "within_s": 6 * HOUR}]}
    return a_world("a  b<-a  c<-b", a={"params_schema": DAY_SCHEMA}, c=edge)


def test_result_of_other_upstream_params_is_not_reused() -> None:
    world = a_chain_with_day()
    run_through(world, "c", "a", "b", "c", params={"day": "monday"})
    world.run_id = world.invoke("c", params={"day": "tuesday"})
    assert world.state_of("b") == "pending waiting"
    assert world.sent[-1] == ("a", 1)


def test_result_of_same_upstream_params_is_reused() -> None:
    world = a_chain_with_day()
    run_through(world, "c", "a", "b", "c", params={"day": "monday"})
    world.run_id = world.invoke("c", params={"day": "monday"})
    assert world.state_of("b") == "completed reused"


def test_target_with_max_age_sees_upstream_params() -> None:
    world = a_world("a  b<-a", a={"params_schema": DAY_SCHEMA})
    run_through(world, "b", "a", "b", params={"day": "monday"})
    world.run_id = world.invoke("b", params={"day": "wednesday"}, max_age_s=6 * HOUR)
    assert world.state_of("b") == "pending waiting"


def test_result_of_other_upstream_declaration_is_not_reused() -> None:
    world = a_chain_with_day()
    run_through(world, "c", "a", "b", "c")
    a_again = {"params_schema": DAY_SCHEMA, "run_timeout_s": 60}
    edge = {"upstream": [{"task": "b", "within_s": 6 * HOUR}]}
    world.declare("s", "a  b<-a  c<-b", a=a_again, c=edge)
    world.run_id = world.invoke("c")
    assert world.state_of("b") == "pending waiting"


def test_result_made_of_a_reused_one_has_the_same_fingerprint() -> None:
    """The second b was made from the reused a; the first is too old for the third run."""
    young = {"task": "b", "within_s": HOUR}
    world = a_world("a  b<-a  c<-b", b={"upstream": [fresh("a")]}, c={"upstream": [young]})
    run_through(world, "b", "a", "b")
    world.after(2 * HOUR)
    run_through(world, "b", "b")
    world.run_id = world.invoke("c")
    assert world.task("b").made_from is not None
    assert [task.task for task in world.run().tasks] == ["b", "c"]


def test_results_behind_a_join_are_reused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(planner, "MAX_AWAITED", 2)
    world = a_world("a  b  c  d<-a,b,c", d={"upstream": [fresh("a"), fresh("b"), fresh("c")]})
    run_through(world, "d", "a", "b", "c", "d")
    world.run_id = world.invoke("d")
    assert [world.state_of(task) for task in "abc"] == ["completed reused"] * 3


def fresh(task: str) -> dict[str, Any]:
    return {"task": task, "within_s": 6 * HOUR}


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


def test_reused_result_shows_what_it_was_made_from() -> None:
    world = a_chain_with_day()
    dispatched_at = world.now
    first = run_through(world, "c", "a", "b", "c", params={"day": "monday"})
    world.after(HOUR)
    world.run_id = world.invoke("c", params={"day": "monday"})
    made_from = world.task("b").made_from
    assert made_from is not None
    assert (made_from.run_id, made_from.params) == (first, {"day": "monday"})
    assert made_from.at.timestamp() == dispatched_at
    assert sorted(made_from.versions or ()) == ["a", "b"]


def test_reused_result_of_deleted_run_shows_only_its_run() -> None:
    world = a_world("a  b<-a", **FRESH)
    first = run_through(world, "b", "a", "b")
    world.run_id = world.invoke("b")
    world.store.prune_runs([first])  # type: ignore[attr-defined]
    made_from = world.task("a").made_from
    assert made_from is not None
    assert (made_from.run_id, made_from.params, made_from.versions) == (first, None, None)


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
    monkeypatch.setattr(dispatch, "COMMANDS_PER_GROUP", 1)
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


CRON: dict[str, Any] = {"cron": "0 6 * * *"}
DEPRECATED: dict[str, Any] = {"deprecated": "use z"}
OTHER_USE: dict[str, dict[str, Any]] = {
    "consumers": {"consumers": ["s2"]},
    "invokers": {"invokers": ["client.ci"]},
    "deprecated": DEPRECATED,
    "until": {"until": "2027-03-01"},
    "due": {"due": "07:00"},
    "retry_delay_s": {"retry_delay_s": 7},
    "retry_backoff": {"retry_backoff": 3.0},
    "retry_max_delay_s": {"retry_max_delay_s": 700},
    "retry_jitter": {"retry_jitter": False},
}
"""Field -> a change of who may use a task, and when it is tried: its result stays the same."""

OTHER_RESULT: dict[str, dict[str, Any]] = {
    "upstream": {"upstream": ["z"]},
    "cron": {"cron": "5 6 * * *"},
    "timezone": {"timezone": "Europe/Berlin"},
    "overlap": {"overlap": "allow"},
    "retries": {"retries": 2},
    "ack_timeout_s": {"ack_timeout_s": 11},
    "start_timeout_s": {"start_timeout_s": 601},
    "run_timeout_s": {"run_timeout_s": 1801},
    "owner": {"owner": "team-b"},
    "description": {"description": "something else"},
    "params_schema": {"params_schema": DAY_SCHEMA},
    "output_schema": {"output_schema": {"type": "string"}},
}
"""Field -> a change that may make another result."""


def with_a_declared_again(change: dict[str, Any]) -> ReactionWorld:
    """A world in which b is invoked a second time, after a was declared with a change."""
    before = {**CRON, **({} if "deprecated" in change else DEPRECATED)}
    world = a_world("z  a  b<-a", a=before, **FRESH)
    run_through(world, "b", "a", "b")
    world.declare("s", "z  a  b<-a", revision=1, a={**before, **change}, **FRESH)
    assert not world.problems
    world.run_id = world.invoke("b")
    return world


@pytest.mark.parametrize("field", OTHER_USE)
def test_result_is_reused_after_a_change_of_its_use(field: str) -> None:
    world = with_a_declared_again(OTHER_USE[field])
    assert world.state_of("a") == "completed reused"


@pytest.mark.parametrize("field", OTHER_RESULT)
def test_result_is_not_reused_after_any_other_change(field: str) -> None:
    world = with_a_declared_again(OTHER_RESULT[field])
    assert world.state_of("a") != "completed reused"


def test_each_field_of_a_declaration_is_one_or_the_other() -> None:
    assert {"name", *OTHER_USE, *OTHER_RESULT} == set(TaskDeclaration.model_fields)


def test_closed_task_lends_no_result_to_a_consumer() -> None:
    """A result is reused although `consumers` changed, but through no edge that is closed."""
    world = World(Reactions())
    world.declare("crm", "a")
    world.declare("z", "b<-a", **FRESH)
    run_through(world, "b", "a", "b")
    world.declare("crm", "a", a={"consumers": []})
    world.invoke("b")
    world.invoke("b", max_age_s=HOUR)
    assert world.problems == ["not_a_consumer"] * 2


def test_closed_task_lends_no_result_to_an_invoker() -> None:
    world = a_world("a")
    run_through(world, "a", "a")
    world.declare("s", "a", revision=1, a={"invokers": []})
    world.invoke("a", source=server_source("z"), max_age_s=HOUR)
    assert world.problems == ["not_an_invoker"]
    world.run_id = world.invoke("a", source=server_source("s"), max_age_s=HOUR)
    assert world.state_of("a") == "completed reused"
