"""Rules 7 and 8: a command that is delivered again, and updates while it is handled."""

import pytest

from cerebro.simulator.parts.sizes import Sizes, sizes
from cordyna_core.contract.commands import CancelRun, RetryRun
from cordyna_core.contract.ids import CLIENT
from cordyna_core.contract.state_updates import TaskStateChanged
from world.scenarios import a_run, a_world


@sizes(Sizes(page=1))
def test_cancel_ends_the_attempts_of_every_page() -> None:
    world = a_run("a  b  c  d<-a,b,c", b="started", c="queued")
    world.cancel()
    assert sorted(world.cancelled) == [("a", 1), ("b", 1), ("c", 1)]


@pytest.mark.parametrize("state", ["queued", "started", "completed", "error"])
def test_cancel_over_an_update_leaves_nothing_live(state: str) -> None:
    for effects in range(1, 20):
        world = a_run("a  b  c<-a,b")
        cancel = world.envelope(CancelRun(run_id=world.run_id, command_id="c"), CLIENT)
        resume = world.driver.begin(cancel, effects=effects)
        if world.stored_run().status == "cancelled":
            world.report("a", state)
        resume(50)
        announced = [
            (message.task, message.attempt)
            for message in world.published
            if isinstance(message, TaskStateChanged) and message.reason == "cancelled"
        ]
        for task in "ab":
            assert not world.fact(task).is_live, effects
            is_cancelled = world.state_of(task) == "error cancelled"
            assert (((task, 1) in announced) and ((task, 1) in world.cancelled)) is is_cancelled


def test_cancel_with_another_id_stops_nothing_again() -> None:
    world = a_run("a", a="started")
    world.cancel(command_id="c")
    world.cancel(command_id="d")
    assert world.cancelled == [("a", 1)]


def test_applied_retry_of_a_task_that_moved_since_is_answered() -> None:
    world = a_run("a  b<-a", a="error").after(5)
    world.retry(command_id="r")
    world.report("a", "error", attempt=2)
    world.declare("s", "b<-a")
    world.declare("t", "a")
    world.retry(command_id="r")
    assert world.problems == []


def test_retry_whose_attempt_has_ended_since_opens_nothing() -> None:
    """Its second delivery applies it, and its attempt fails, before the first one continues."""
    for effects in range(1, 30):
        world = a_run("a", a="error").after(5)
        command = world.envelope(world.retry_command(command_id="r"), CLIENT)
        resume = world.driver.begin(command, effects=effects)
        if world.stored_run().commands:
            return
        world.handle(command)
        world.report("a", "error", attempt=2)
        world.after(5)
        assert world.stored_run().status == "error"
        states = len(world.run_states)
        resume(60)
        assert "running" not in world.run_states[states:], effects
        world.after(5)
        assert world.stored_run().status == "error"


def test_rerun_that_names_a_reused_result_is_refused() -> None:
    world = a_world("a  b  c<-a,b", c={"upstream": ["a", {"task": "b", "within_s": 600}]})
    world.invoke("c", key="k")
    for task in "abc":
        world.reach(task, "completed")
    world.run_id = world.invoke("c", key="l")
    world.reach("a", "completed")
    world.reach("c", "completed")
    rerun = RetryRun(run_id=world.run_id, command_id="r", from_=["a", "b"], downstream=True)
    world.publish(rerun, CLIENT)
    assert world.problems == ["result_was_reused"]


def test_failure_paused_over_a_cancel_leaves_the_run_as_it_is() -> None:
    for effects in range(1, 20):
        world = a_run("a  b<-a", a="started")
        resume = world.driver.begin(world.update("a", "error"), effects=effects)
        world.cancel()
        cancelled = world.stored_run()
        resume(50)
        assert world.stored_run() == cancelled, effects
