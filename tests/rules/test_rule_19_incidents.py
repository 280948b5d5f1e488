"""Rule 19: one incident per cause, to its owner, with what it blocks (docs/rules.md, rule 19)."""

from typing import Any

import pytest

from cerebro.handlers import queries
from cordyna_core.contract.base import Problem, meta_at
from cordyna_core.contract.ids import CEREBRO, CLIENT, server_source
from cordyna_core.contract.incidents import IncidentMessage
from cordyna_core.contract.state_updates import (
    DeclarationRejected,
    RunStateChanged,
    ServerStateChanged,
)
from world.declarations import declared
from world.incidents import events, incident_events, the_incident
from world.scenarios import ReactionWorld, a_run, a_world, an_engine

TEAMS: dict[str, Any] = {"a": {"owner": "team-a"}, "b": {"owner": "team-b"}}


def opened(world: ReactionWorld) -> IncidentMessage:
    (event,) = [event for event in incident_events(world) if type(event).__name__.endswith("ned")]
    return event


def test_failure_opens_an_incident_of_its_owner() -> None:
    event = opened(a_run("a  b<-a", declared=TEAMS, a="error"))
    assert (event.kind, event.task, event.server, event.owner) == ("failed", "a", "s", "team-a")
    assert event.error is not None
    assert (event.reason, event.error.message) == ("failed", "it broke")
    assert event.summary == "a failed: Oops: it broke"
    assert event.next == f"dyna logs {event.run_id} a"


def test_incident_names_what_waits_and_its_owner() -> None:
    event = opened(a_run("a  x  b<-a,x  c<-b", declared=TEAMS, a="error"))
    assert [(task.task, task.server, task.owner) for task in event.blocked] == [
        ("b", "s", "team-b"),
        ("c", "s", None),
    ]
    assert event.summary_for_blocked.startswith("waits for team-a; nothing to do (a failed")


def test_failure_with_attempts_left_opens_nothing() -> None:
    world = a_run("a", declared={"a": {"retries": 1}}, a="error")
    assert events(world) == []
    world.after(10)
    world.reach("a", "error")
    assert events(world) == ["opened failed a"]


def test_second_failure_of_another_task_has_its_own() -> None:
    world = a_run("a  b  c<-a,b", a="error", b="error")
    assert events(world) == ["opened failed a", "opened failed b"]
    assert len(world.after(10).store.incidents()) == 2


def test_end_of_the_run_opens_nothing_again() -> None:
    world = a_run("a  b<-a", a="error").after(10)
    assert world.run().state == "error"
    assert events(world) == ["opened failed a"]


def test_same_failure_delivered_again_is_not_counted() -> None:
    world = a_run("a  b<-a", a="error").after(10)
    failing = [m for m in world.published if isinstance(m, RunStateChanged)][1]
    world.publish(failing, CEREBRO)
    assert the_incident(world, "failed", "a").times == 1


def test_more_of_the_same_is_counted_and_not_published() -> None:
    world = a_run("a", a="error")
    for _ in range(3):
        fail_again(world)
    assert events(world) == ["opened failed a"]
    assert the_incident(world, "failed", "a").times == 4


def test_more_of_the_same_is_published_after_half_an_hour() -> None:
    world = a_run("a", a="error")
    fail_again(world)
    fail_again(world)
    assert events(world.after(1700)) == ["opened failed a"]
    assert events(world.after(200)) == ["opened failed a", "changed failed a"]
    assert incident_events(world)[-1].times == 3
    assert events(world.after(7200)) == ["opened failed a", "changed failed a"]


def fail_again(world: ReactionWorld) -> str:
    run_id = world.invoke("a")
    world.report("a", "error", run_id=run_id)
    return run_id


def test_completion_dispatched_afterwards_closes_it() -> None:
    world = a_run("a", a="error").after(10)
    run_id = world.invoke("a")
    world.report("a", "completed", run_id=run_id)
    assert events(world) == ["opened failed a", "closed failed a"]
    assert world.store.read_graph().watched == frozenset()


def test_completion_dispatched_before_does_not_close_it() -> None:
    world = a_world("a")
    first, second = world.invoke("a"), world.invoke("a")
    world.now += 1
    world.report("a", "error", run_id=first)
    world.report("a", "completed", run_id=second)
    assert events(world.after(700)) == ["opened failed a"]


def test_retry_that_completes_closes_it() -> None:
    world = a_run("a  b<-a", a="error").after(10)
    world.retry()
    world.reach("a", "completed")
    assert events(world) == ["opened failed a", "closed failed a"]


def test_heal_closes_it() -> None:
    world = a_run("a  b<-a", a="started").after(1810)
    assert events(world) == ["opened failed a"]
    world.report("a", "completed")
    assert events(world) == ["opened failed a", "closed failed a"]


def test_heal_of_one_of_two_runs_leaves_it_open() -> None:
    world = a_world("a  b<-a")
    first, second = world.invoke("a"), world.invoke("a")
    for run_id in (first, second):
        world.report("a", "started", run_id=run_id)
    world.after(1810)
    world.report("a", "completed", run_id=first, attempt=1)
    assert events(world) == ["opened failed a"]
    world.report("a", "completed", run_id=second, attempt=1)
    assert events(world)[-1] == "closed failed a"


def test_run_under_way_at_the_opening_closes_it() -> None:
    world = a_world("u  a<-u")
    under_way = world.invoke("a")
    failing = world.invoke("a")
    world.report("u", "completed", run_id=failing)
    world.report("a", "error", run_id=failing)
    world.now += 60
    world.report("u", "completed", run_id=under_way)
    world.report("a", "completed", run_id=under_way)
    assert events(world) == ["opened failed a"], "its run was planned before"
    assert events(world.after(600)) == ["opened failed a", "closed failed a"]


def test_run_under_way_that_completes_later_closes_it() -> None:
    world = a_world("u  a<-u", every={"run_timeout_s": 86_400})
    under_way, failing = world.invoke("a"), world.invoke("a")
    for run_id in (under_way, failing):
        world.report("u", "started", run_id=run_id)
    world.report("u", "completed", run_id=failing)
    world.report("a", "error", run_id=failing)
    world.after(700)
    world.report("u", "completed", run_id=under_way)
    world.report("a", "completed", run_id=under_way)
    assert events(world) == ["opened failed a", "closed failed a"]


def test_next_failure_opens_it_again_under_the_same_id() -> None:
    world = a_run("a", a="error").after(10)
    run_id = world.invoke("a")
    world.report("a", "completed", run_id=run_id)
    fail_again(world)
    assert events(world) == ["opened failed a", "closed failed a", "opened failed a"]
    assert len({event.incident for event in incident_events(world)}) == 1
    assert the_incident(world, "failed", "a").episode == 2


def test_old_failure_delivered_after_the_end_opens_nothing() -> None:
    world = a_run("a", a="error").after(10)
    failing = [m for m in world.published if isinstance(m, RunStateChanged)][1]
    run_id = world.invoke("a")
    world.report("a", "completed", run_id=run_id)
    world.publish(failing, CEREBRO)
    assert events(world) == ["opened failed a", "closed failed a"]


def test_failure_healed_before_it_is_handled_opens_nothing() -> None:
    world = a_run("a  b<-a", a="error")
    failing = [m for m in world.published if isinstance(m, RunStateChanged)][1]
    world.report("a", "completed")
    before = events(world)
    world.publish(failing, CEREBRO)
    assert events(world) == before


def test_cancelled_run_opens_nothing() -> None:
    world = a_run("a  b<-a", a="started")
    world.cancel()
    assert events(world.after(10)) == []


def test_ordinary_run_asks_nothing_about_incidents() -> None:
    world = a_run("a  b<-a", a="completed", b="completed")
    assert world.store.incidents() == []
    assert world.driver.incident_timers == []
    assert world.stored_run().watched == ()


def test_silent_server_opens_one_for_the_server() -> None:
    world = a_run("a  b  c<-a,b", declared=TEAMS).after(60)
    event = incident_events(world)[0]
    assert (event.kind, event.task, event.server, event.owner) == (
        "unresponsive",
        None,
        "s",
        "team-a",
    )
    assert events(world) == ["opened unresponsive s"]
    assert event.next == "dyna servers"


def test_silent_server_with_retries_left_is_unresponsive() -> None:
    world = a_run("a", declared={"a": {"retries": 3}}).after(12)
    assert events(world) == ["opened unresponsive s"]
    world.after(10)
    world.reach("a", "completed")
    assert events(world) == ["opened unresponsive s", "closed unresponsive s"]


def test_server_that_is_ready_again_closes_it() -> None:
    world = a_run("a").after(60)
    world.publish(ServerStateChanged(server="s", state="ready"), server_source("s"))
    assert events(world) == ["opened unresponsive s", "closed unresponsive s"]


def test_server_that_declares_again_closes_it() -> None:
    world = a_run("a").after(60)
    world.declare("s", "a")
    assert events(world) == ["opened unresponsive s", "closed unresponsive s"]


def test_failure_reported_by_a_silent_server_shows_that_it_lives() -> None:
    world = a_run("a").after(60)
    fail_again(world)
    assert events(world) == [
        "opened unresponsive s",
        "opened failed a",
        "closed unresponsive s",
    ]


def test_acknowledged_meanwhile_opens_nothing() -> None:
    world = a_run("a").after(12)
    expired = next(m for m in world.published if getattr(m, "reason", None) == "ack_timeout")
    healed = a_run("a", a="started")
    healed.publish(expired, CEREBRO)
    assert events(healed) == []


def test_expiry_of_an_unknown_run_opens_nothing() -> None:
    world = a_run("a").after(12)
    expired = next(m for m in world.published if getattr(m, "reason", None) == "ack_timeout")
    failing = [m for m in world.published if isinstance(m, RunStateChanged)][1]
    empty = a_world("a")
    empty.publish(expired, CEREBRO)
    empty.publish(failing, CEREBRO)
    assert events(empty) == []


def test_rejected_declaration_opens_and_accepted_one_closes() -> None:
    world = a_world("a", a={"owner": "team-a"})
    world.declare("s", "a<-a")
    event = incident_events(world)[0]
    assert (event.kind, event.server, event.owner, event.reason) == (
        "rejected_declaration",
        "s",
        "team-a",
        "cycle",
    )
    world.now += 1
    world.declare("s", "a  b")
    assert events(world) == ["opened rejected_declaration s", "closed rejected_declaration s"]


def test_server_that_was_never_accepted_is_shown_as_rejected() -> None:
    world = a_world("a")
    world.declare("new", "b<-b")
    shown = {server.server: (server.state, server.tasks) for server in queries.servers(world.store)}
    assert shown["new"] == ("rejected", 0)
    assert shown["s"][0] != "rejected"


def test_rejection_without_problems_has_no_error() -> None:
    world = a_world("a")
    rejected = DeclarationRejected(meta=meta_at(world.now, "r"), server="x", problems=[])
    world.publish(rejected, CEREBRO)
    event = incident_events(world)[0]
    assert (event.owner, event.reason, event.error) == (None, None, None)
    assert event.summary == "a declaration of x was rejected"


def test_rejection_with_many_problems_names_the_first() -> None:
    world = a_world("a")
    problems = [Problem(code="cycle", message="x, y, x"), Problem(code="quota", message="many")]
    rejected = DeclarationRejected(meta=meta_at(world.now, "r"), server="x", problems=problems)
    world.publish(rejected, CEREBRO)
    assert incident_events(world)[0].summary.endswith("rejected: cycle: x, y, x (and 1 more)")


def test_accepted_declaration_made_anew_closes_it() -> None:
    world = a_world("a")
    world.declare("s", "a<-a")
    world.now += 1
    world.declare("s", "a")
    assert events(world) == ["opened rejected_declaration s", "closed rejected_declaration s"]


def test_sign_of_life_after_a_rejection_leaves_it_open() -> None:
    world = a_world("a")
    old = declared("s", "a").model_copy(update={"meta": meta_at(world.now, "old")})
    world.declare("s", "a<-a")
    world.publish(old, server_source("s"))  # the declaration of before, delivered again
    world.now += 1
    answer = declared("s", "a").model_copy(update={"meta": meta_at(world.now, "m", "sign of life")})
    world.publish(answer, server_source("s"))
    assert events(world) == ["opened rejected_declaration s"]


def rejection(world: ReactionWorld, revision: int) -> DeclarationRejected:
    meta = meta_at(world.now, f"rejected {revision}")
    return DeclarationRejected(meta=meta, server="s", revision=revision, problems=[])


def test_rejection_that_was_rolled_back_opens_nothing() -> None:
    """Its event arrives after the rollback was accepted."""
    world = a_world("a")
    late = rejection(world, 2)
    world.declare("s", "a", revision=3)
    world.publish(late, CEREBRO)
    assert events(world) == []


def test_rejection_rolled_back_before_its_mark_is_closed() -> None:
    world = a_world("a")
    crashed = rejection(world, 2)
    world.publish(crashed, CEREBRO)
    world.store.mark_cause("rejected_declaration:s", on=False)
    world.declare("s", "a", revision=3)  # sees no mark, so it sends no notice
    assert events(world) == ["opened rejected_declaration s"]
    world.publish(crashed, CEREBRO)
    assert events(world) == ["opened rejected_declaration s", "closed rejected_declaration s"]


def test_late_rejection_leaves_a_newer_one_open() -> None:
    world = a_world("a")
    late = rejection(world, 2)
    world.declare("s", "a", revision=3)
    world.declare("s", "a<-a", revision=4)
    world.publish(late, CEREBRO)
    assert events(world) == ["opened rejected_declaration s"]


def test_refused_command_of_a_client_opens_nothing() -> None:
    world = a_world("a")
    world.invoke("unknown")
    world.invoke("a", params={"x": 1})
    assert world.problems != []
    assert events(world) == []


def test_incident_is_recorded_before_a_client_sees_the_end() -> None:
    world = an_engine("s: a  b<-a", fails=["a"])
    seen: list[str] = []
    world.driver.loop._on_event = lambda event: seen.extend(
        [event] if '"RunStateChanged"' in event and '"failing"' in event else []
    )
    world.publish(declared("s", "a  b<-a"), server_source("s"))
    world.invoke("b", key="k", source=CLIENT)
    assert len(seen) == 1
    assert events(world) == ["opened failed a"]


@pytest.mark.parametrize("task", ["a", "b"])
def test_incident_on_the_engine_closes_by_a_retry(task: str) -> None:
    world = an_engine("s: a  b<-a", fails=[task])
    world.invoke("b", key="k")
    world.after(10)
    world.driver.fails.clear()
    world.retry()
    assert events(world.after(5)) == [f"opened failed {task}", f"closed failed {task}"]
