"""Rule 14: a result is reused only if it was made from the same (docs/rules.md, rule 14)."""

from typing import Any

import pytest

from cordyna_core.contract.declaration import TaskDeclaration
from cordyna_core.contract.ids import server_source
from world.reactions import Reactions
from world.reuse import FRESH, HOUR, fresh, run_through
from world.scenarios import ReactionWorld, a_world
from world.world import World

DAY_SCHEMA: dict[str, Any] = {"type": "object", "properties": {"day": {"type": "string"}}}


def test_result_of_other_declaration_is_not_reused() -> None:
    world = a_world("a  b<-a", **FRESH)
    run_through(world, "b", "a", "b")
    world.declare(
        "s", "a  b<-a", revision=1, a={"description": "it does something else now"}, **FRESH
    )
    world.run_id = world.invoke("b")
    assert world.state_of("a") == "pending dispatched"


def test_result_of_other_params_is_not_reused() -> None:
    world = a_world("a  b<-a", a={"params_schema": DAY_SCHEMA}, **FRESH)
    run_through(world, "b", "a", "b", params={"day": "monday"})
    world.run_id = world.invoke("b", params={"day": "sunday"})
    assert world.state_of("a") == "pending dispatched"


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
