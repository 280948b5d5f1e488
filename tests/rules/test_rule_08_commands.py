"""Rules 7 and 8: every command is answered, its id acts once, a cancellation is final."""

import pytest

from cerebro.core.effects import WriteTask
from cerebro.core.model.task_run import Rank
from cerebro.core.run import retry_run
from cerebro.handlers.receive import program_of
from cerebro.shell import PERFORM
from cordyna_core.contract.base import Meta
from cordyna_core.contract.commands import CancelRun, CancelTask, InvokeTask, RetryRun, RunTask
from cordyna_core.contract.envelope import Envelope
from cordyna_core.contract.ids import CLIENT
from cordyna_core.contract.state_updates import (
    InvocationRejected,
    RunStateChanged,
    TaskStateChanged,
)
from cordyna_core.contract.time import utc
from world.scenarios import ReactionWorld, a_run, a_world

TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def answers_to(world: ReactionWorld, envelope: Envelope) -> list[str]:
    """The answers to a command: the state of its run, or the codes of a refusal."""
    answers = []
    for message in world.published:
        if isinstance(message, InvocationRejected) and message.event_id == envelope.id:
            answers += [problem.code for problem in message.problems]
        is_caused = message.meta is not None and message.meta.cause == envelope.id
        if isinstance(message, RunStateChanged) and is_caused:
            answers.append(message.state)
    return answers


def retry_of(world: ReactionWorld, command_id: str = "r") -> Envelope:
    return world.envelope(RetryRun(run_id=world.run_id, command_id=command_id), CLIENT)


def cancel_of(world: ReactionWorld, command_id: str = "c") -> Envelope:
    return world.envelope(CancelRun(run_id=world.run_id, command_id=command_id), CLIENT)


def test_retry_paused_over_cancel_never_writes_over_it() -> None:
    for effects in range(1, 60):
        world = a_run("a  b<-a", a="error").after(5)
        retry = retry_of(world)
        program = program_of(retry)
        assert program is not None
        effect = program.send(None)
        for _ in range(effects):
            try:
                effect = program.send(PERFORM[type(effect)](world.driver.ports, effect))
            except StopIteration:
                return
        world.cancel(command_id="c")
        cancelled = world.fact("a").rank == Rank.CANCELLED
        try:
            while True:
                seen = effect.seen if isinstance(effect, WriteTask) else None
                assert seen is None or seen.rank != Rank.CANCELLED, effects
                effect = program.send(PERFORM[type(effect)](world.driver.ports, effect))
        except StopIteration:
            pass
        assert not world.fact("a").is_live, effects
        assert answers_to(world, retry)[-1] in ("run_cancelled", "running"), effects
        assert not cancelled or world.fact("a").rank == Rank.CANCELLED
    raise AssertionError("the retry did not end within 60 effects")


def test_retry_paused_over_cancel_is_refused() -> None:
    world = a_run("a  b<-a", a="error").after(5)
    retry = retry_of(world)
    resume = world.driver.begin(retry, effects=2)
    world.cancel()
    resume(100)
    assert answers_to(world, retry) == ["run_cancelled"]


def test_new_retry_is_answered_running() -> None:
    world = a_run("a  b<-a", a="error").after(5)
    retry = retry_of(world)
    world.handle(retry)
    assert answers_to(world, retry) == ["running"]


def test_repeated_retry_is_answered_with_the_state() -> None:
    world = a_run("a  b<-a", a="error").after(5)
    world.handle(retry_of(world))
    world.reach("a", "completed")
    again = retry_of(world)
    world.handle(again)
    assert answers_to(world, again) == ["failing"]
    assert world.stored_run().commands == ("r",)


@pytest.mark.parametrize(("command_id", "count"), [("c", 2), ("another", 1)])
def test_second_cancel_is_answered_with_its_own_id(command_id: str, count: int) -> None:
    """The same command publishes the end again: its first delivery may not have done it."""
    world = a_run("a  b<-a")
    first = cancel_of(world)
    world.handle(first)
    second = cancel_of(world, command_id)
    world.handle(second)
    assert answers_to(world, first) == ["error"]
    own = [
        message.meta.id
        for message in world.published
        if isinstance(message, RunStateChanged)
        and message.meta is not None
        and message.meta.cause == second.id
    ]
    assert len(set(own)) == len(own) == count
    (end,) = {
        message.meta.id
        for message in world.published
        if isinstance(message, RunStateChanged)
        and message.meta is not None
        and message.meta.cause == first.id
        and message.state == "error"
    }
    assert len(set(own) - {end}) == 1


def test_repeated_invocation_is_answered_with_its_own_id() -> None:
    world = a_world("a")
    world.invoke("a", key="k")
    again = world.publish(InvokeTask(task="a", key="k"), CLIENT)
    assert answers_to(world, again) == ["running"]
    ids = [m.meta.id for m in world.published if isinstance(m, RunStateChanged) and m.meta]
    assert len(ids) == len(set(ids)) == 2


def test_command_beyond_the_limit_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retry_run, "COMMANDS_PER_RUN_MAX", 2)
    world = a_run("a  b<-a", a="error").after(5)
    for number in range(2):
        world.handle(retry_of(world, f"r{number}"))
        world.report("a", "error", attempt=number + 2)
        world.after(5)
    third = retry_of(world, "r2")
    world.handle(third)
    assert answers_to(world, third) == ["too_many_commands"]
    again = retry_of(world, "r1")
    world.handle(again)
    assert answers_to(world, again) == ["error"], "an applied command stays known"


def test_run_with_too_many_commands_is_cancelled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retry_run, "COMMANDS_PER_RUN_MAX", 0)
    world = a_run("a  b<-a")
    world.cancel()
    assert world.run().cancelled


def test_heal_keeps_applied_commands() -> None:
    world = a_run("a  b<-a", a="error").after(5)
    world.retry(command_id="r")
    world.after(30)
    world.report("a", "started", attempt=2)
    assert world.stored_run().commands == ("r",)


def test_retry_that_opens_a_run_has_its_end_looked_for() -> None:
    """The attempt that it began fails before the run is opened: no other timer would see it."""
    world = a_run("a  b<-a", a="error").after(5)
    for effects in range(1, 30):
        world = a_run("a  b<-a", a="error").after(5)
        resume = world.driver.begin(retry_of(world), effects=effects)
        if world.fact("a").attempt == 2:
            world.report("a", "error", attempt=2)
            world.after(10)
        resume(100)
        world.after(60)
        assert world.run().state == "error", effects


def test_trace_context_is_handed_on_in_every_message() -> None:
    world = a_world("a  b<-a", every={"retries": 1})
    meta = Meta(id="i", time=utc(world.now), traceparent=TRACE)
    world.run_id = world.invoke("b", meta=meta)
    world.report("a", "error")
    world.after(20)
    world.cancel()
    of_run = RunTask, CancelTask, TaskStateChanged, RunStateChanged
    messages = [message for message in world.published if isinstance(message, of_run)]
    assert {type(message) for message in messages} == set(of_run)
    assert {message.meta and message.meta.traceparent for message in messages} == {TRACE}


def test_trace_context_is_in_a_refusal() -> None:
    world = a_world("a")
    world.invoke("z", meta=Meta(id="i", traceparent=TRACE))
    (refused,) = [message for message in world.published if isinstance(message, InvocationRejected)]
    assert refused.meta is not None
    assert refused.meta.traceparent == TRACE
