"""Rules 7 and 8: what the answer to a command says, and who may send one."""

import pytest

from cordyna_core.contract.base import Meta, RootCause
from cordyna_core.contract.commands import CancelRun, RetryRun
from cordyna_core.contract.envelope import Envelope
from cordyna_core.contract.ids import server_source
from cordyna_core.contract.state_updates import InvocationRejected, RunStateChanged
from world.scenarios import ReactionWorld, a_run, a_world

TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def run_states_of(world: ReactionWorld) -> list[RunStateChanged]:
    return [message for message in world.published if isinstance(message, RunStateChanged)]


def caused_by(world: ReactionWorld, command: Envelope) -> list[RunStateChanged]:
    states = run_states_of(world)
    return [message for message in states if message.meta and message.meta.cause == command.id]


def a_run_of_two_servers() -> ReactionWorld:
    """The target is of t, its upstream of s, which has failed."""
    world = a_world("a")
    world.declare("t", "b<-a")
    world.invoke("b", key="k")
    world.report("a", "error")
    return world.after(5)


@pytest.mark.parametrize("command", [CancelRun, RetryRun])
def test_run_belongs_to_the_server_of_its_target(command: type[CancelRun] | type[RetryRun]) -> None:
    world = a_run_of_two_servers()
    world.publish(command(run_id=world.run_id), server_source("s"))
    assert world.problems == ["not_your_task"]
    world.publish(command(run_id=world.run_id), server_source("t"))
    assert world.problems == ["not_your_task"]
    assert world.run().cancelled is (command is CancelRun)


@pytest.mark.parametrize("command", [CancelRun, RetryRun])
def test_refusal_of_a_command_keeps_its_trace(command: type[CancelRun] | type[RetryRun]) -> None:
    world = a_run("a", a="completed")
    meta = Meta(id="i", traceparent=TRACE)
    world.publish(command(run_id=world.run_id, meta=meta), "cordyna.client")
    (refused,) = [message for message in world.published if isinstance(message, InvocationRejected)]
    assert refused.meta is not None
    assert refused.meta.traceparent == TRACE


def test_cancel_names_the_owner_of_the_target() -> None:
    world = a_run("a  b<-a", declared={"b": {"owner": "team-b"}})
    world.cancel()
    (*_, ended) = run_states_of(world)
    cause = RootCause(task="b", server="s", owner="team-b", reason="cancelled")
    assert ended.root_causes == [cause]


def test_cancel_of_an_ended_run_is_an_event_of_its_own() -> None:
    """Consumers drop what has a known id: the end in error must not hide the cancellation."""
    world = a_run("a", a="error").after(5)
    command = world.publish(CancelRun(run_id=world.run_id), "cordyna.client")
    (answer,) = caused_by(world, command)
    others = [message for message in run_states_of(world) if message is not answer]
    assert answer.meta is not None
    assert answer.meta.id not in {message.meta and message.meta.id for message in others}


def test_retry_during_back_off_is_refused() -> None:
    world = a_run("a", declared={"a": {"retries": 1}}, a="error")
    world.retry()
    assert world.problems == ["nothing_failed"]
    assert world.after(30).sent == [("a", 1), ("a", 2)]


def test_retry_has_the_end_looked_for_on_its_pages() -> None:
    world = a_run("a", a="error").after(5)
    world.driver.lose_page_timers()
    world.retry()
    assert {timer.page for timer in world.driver.page_timers} == {0}
    assert min(timer.due for timer in world.driver.page_timers) == world.now + 3


def test_retry_answer_has_the_cause_of_its_event() -> None:
    world = a_run("a", a="error").after(5)
    command = world.publish(world.retry_command(command_id="r"), "cordyna.client")
    (answer,) = caused_by(world, command)
    assert answer.state == "running"


def test_rerun_is_answered_and_published() -> None:
    world = a_run("a", a="completed")
    rerun = RetryRun(run_id=world.run_id, command_id="r", from_=["a"], downstream=True)
    before = len(run_states_of(world))
    command = world.publish(rerun, "cordyna.client")
    assert [message.state for message in caused_by(world, command)] == ["running"]
    opened = run_states_of(world)[before:]
    assert len({message.meta and message.meta.id for message in opened}) == 2
    world.reach("a", "completed")
    ends = [message for message in run_states_of(world) if message.state == "completed"]
    assert len({message.meta and message.meta.id for message in ends}) == 2


def test_reruns_of_a_run_are_counted_and_their_ids_kept() -> None:
    world = a_run("a", a="completed")
    for number in range(3):
        rerun = RetryRun(run_id=world.run_id, command_id=f"r{number}", from_=["a"], downstream=True)
        world.publish(rerun, "cordyna.client")
        world.reach("a", "completed")
    run = world.stored_run()
    assert (run.reruns, run.commands) == (3, ("r0", "r1", "r2"))
