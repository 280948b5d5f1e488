"""Rule 2: the command of every attempt leaves, whatever crashes (docs/rules.md, rule 2)."""

from typing import Any

import pytest

from cordyna_core.contract.commands import InvokeTask, RetryRun
from cordyna_core.contract.ids import CLIENT
from world.scenarios import ReactionWorld, a_run, a_world
from world.world import Delivered


def put_and_crashed(tasks: str, *, upstream: str = "a", **fields: Any) -> tuple[ReactionWorld, Any]:
    """A completion whose handler crashed when the downstream was put; its input."""
    world = a_run(tasks, declared=fields, **{upstream: "started"})
    update = world.update(upstream, "completed")
    world.driver.crash_once(update, lambda: 1 in world.store.read_page(world.run_id, 0))
    assert ("b", 1) not in world.sent
    return world, update


def the_command(world: ReactionWorld, task: str) -> Any:
    return [command for command in world.commands if command.task == task][-1]


def test_late_command_starts_its_clock_again() -> None:
    world, update = put_and_crashed("a  b<-a")
    world.now += 8
    world.handle(update)
    ack_by = world.now + 10
    assert the_command(world, "b").ack_by.timestamp() == ack_by
    assert world.fact("b").deadline == ack_by
    world.after(9)
    assert world.state_of("b") == "pending dispatched"
    world.after(4)
    assert world.state_of("b") == "error ack_timeout"


def test_expired_command_that_never_left_is_sent() -> None:
    world, update = put_and_crashed("a  b<-a")
    world.after(60)
    assert (world.state_of("b"), world.run().state) == ("error ack_timeout", "error")
    world.handle(update)
    assert the_command(world, "b").ack_by.timestamp() == world.now + 10
    world.report("b", "started")
    assert (world.state_of("b"), world.stored_run().status) == ("started", "running")
    world.report("b", "completed")
    assert world.run().state == "completed"


def test_expired_command_of_a_cancelled_run_stays() -> None:
    world, update = put_and_crashed("a  b<-a  c  d<-b,c")
    world.report("c", "started")
    world.after(20)
    world.cancel()
    world.handle(update)
    assert ("b", 1) not in world.sent


def test_expired_command_is_not_sent_after_start_by() -> None:
    world, update = put_and_crashed("a  b<-a")
    world.after(611)
    world.handle(update)
    assert ("b", 1) not in world.sent


def test_expired_command_with_retries_leaves_with_its_retry() -> None:
    world, update = put_and_crashed("a  b<-a", b={"retries": 1})
    world.after(12)
    assert world.state_of("b") == "pending retry_wait"
    world.handle(update)
    assert ("b", 1) not in world.sent
    world.after(10)
    assert ("b", 2) in world.sent
    world.reach("b", "error")
    assert world.state_of("b") == "error failed", "the attempt before has cost the only retry"


def test_another_input_does_not_send_what_expired() -> None:
    world, _ = put_and_crashed("a  b<-a")
    world.after(60)
    world.report("a", "completed")
    assert ("b", 1) not in world.sent


def test_answer_to_a_new_clock_arms_its_own_timer() -> None:
    """The timer that was armed for the first clock is spent, and the one for the new clock lost."""
    world, update = put_and_crashed("a  b<-a")
    world.driver.lose_page_timers()
    world.now += 8
    world.driver.crash_once(update, lambda: world.fact("b").rev == 2)
    world.driver.lose_page_timers()
    world.now += 1
    world.report("b", "started")
    world.after(1802)
    assert world.state_of("b") == "error run_timeout"


def test_command_of_an_attempt_that_moved_is_not_sent() -> None:
    """It left before the crash, and is answered while the input is handled again."""
    for effects in range(1, 12):
        world = a_run("a  b<-a", a="started")
        update = world.report("a", "completed")
        world.driver.lose_page_timers()
        world.now += 8
        dispatched_at = world.fact("b").dispatched_at
        resume = world.driver.begin(update, effects=effects)
        is_renewed = world.fact("b").dispatched_at != dispatched_at
        world.report("b", "started")
        resume(100)
        assert is_renewed or world.sent.count(("b", 1)) == 1, effects


def invoked(world: ReactionWorld) -> Delivered:
    return world.envelope(InvokeTask(task="b", key="k"), CLIENT)


@pytest.mark.parametrize("silence", [0, 8, 60])
@pytest.mark.parametrize("effects", range(1, 24))
def test_crash_of_an_invocation_sends_its_roots(effects: int, silence: int) -> None:
    world = a_world("a  b<-a")
    invocation = invoked(world)
    world.driver.crash(invocation, after=effects)
    world.after(silence)
    world.handle(invocation)
    world.run_id = world.commands[-1].run_id
    assert world.sent[-1:] == [("a", 1)]
    world.report("a", "started")
    world.report("a", "completed")
    world.report("b", "completed")
    assert world.run().state == "completed"


@pytest.mark.parametrize("silence", [0, 8, 60])
@pytest.mark.parametrize("effects", range(1, 30))
def test_crash_of_a_completion_sends_what_follows(effects: int, silence: int) -> None:
    world = a_run("a  b<-a  c<-a  d<-b,c", a="started")
    update = world.update("a", "completed")
    world.driver.crash(update, after=effects)
    world.after(silence)
    world.handle(update)
    assert {("b", 1), ("c", 1)} <= set(world.sent)
    for task in "bcd":
        world.report(task, "completed")
    assert world.run().state == "completed"


@pytest.mark.parametrize("silence", [0, 8, 60])
@pytest.mark.parametrize("effects", range(1, 40))
def test_crash_of_a_retry_sends_its_attempt(effects: int, silence: int) -> None:
    world = a_run("a  b<-a", a="error").after(10)
    retry = world.envelope(world.retry_command(command_id="again"), CLIENT)
    world.driver.crash(retry, after=effects)
    world.after(silence)
    world.handle(retry)
    attempt = world.task("a").attempt
    assert ("a", attempt) in world.sent
    world.report("a", "started")
    assert (world.state_of("a"), world.stored_run().status) == ("started", "running")


@pytest.mark.parametrize("silence", [0, 8, 60])
@pytest.mark.parametrize("effects", range(1, 30))
def test_crash_of_a_repair_sends_what_it_dispatched(effects: int, silence: int) -> None:
    world = a_run("a  c  b<-a,c", a="started", c="started")
    world.report("a", "completed")
    update = world.update("c", "completed")
    world.driver.crash_once(update, lambda: world.fact("c").is_completed)
    timer = world.driver.page_timers[0]
    world.driver.lose_page_timers()
    world.now = timer.due + 1
    world.driver.crash(timer, after=effects)
    world.after(silence)
    world.handle(timer)
    assert ("b", 1) in world.sent
    world.report("b", "completed")
    assert world.run().state == "completed"


@pytest.mark.parametrize("silence", [0, 8, 60])
@pytest.mark.parametrize("effects", range(1, 60))
def test_crash_of_a_rerun_sends_its_attempt(effects: int, silence: int) -> None:
    world = a_run("a  b<-a", a="completed", b="completed")
    command = RetryRun(run_id=world.run_id, command_id="r", from_=["a"], downstream=True)
    rerun = world.envelope(command, CLIENT)
    world.driver.crash(rerun, after=effects)
    world.after(silence)
    world.handle(rerun)
    assert ("a", 2) in world.sent
    world.report("a", "completed")
    world.report("b", "completed")
    assert world.run().state == "completed"
