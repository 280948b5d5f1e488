"""Rule 17: an engine that starts takes over the runs of one that has ended, on every page."""

from collections.abc import Iterator

import pytest

from cerebro.core.run.recovery import recover
from cerebro.shell import perform
from cerebro.simulator.parts.sizes import Sizes, sizes
from world.scenarios import ReactionWorld, a_run

TASKS = "a  b  c  d  e<-a,b,c,d"


@pytest.fixture(autouse=True)
def _pages_of_two() -> Iterator[None]:
    with sizes(Sizes(page=2)):
        yield


def started_again(world: ReactionWorld, *, after_s: float) -> ReactionWorld:
    """An engine starts so long after the other one ended; no timer of that is left."""
    world.driver.lose_page_timers()
    world.now += after_s
    perform(recover(world.run_id), world.driver.ports)
    return world


def test_live_attempts_are_sent_again_with_new_clocks() -> None:
    world = a_run(TASKS, a="started", b="queued", c="completed")
    sent = len(world.sent)
    started_again(world, after_s=7200)
    assert sorted(world.sent[sent:]) == [("a", 1), ("b", 1), ("d", 1)]
    clocks = {"a": 1800, "b": 610, "d": 10}
    for task, seconds in clocks.items():
        fact = world.fact(task)
        assert fact.deadline == world.now + seconds
        assert fact.dispatched_at == world.now
    again = [command for command in world.commands[sent:] if command.task == "d"]
    assert again[0].ack_by.timestamp() == world.now + 10


def test_clocks_of_downtime_expire_nothing() -> None:
    world = started_again(a_run(TASKS, a="started", d="started"), after_s=7200)
    world.after(9)
    assert not [state for state in world.states().values() if state.startswith("error")]
    world.after(3)
    assert [name for name in "bc" if world.state_of(name) == "error ack_timeout"] == ["b", "c"]


def test_retry_waits_no_longer_for_a_clock_that_was_set_back() -> None:
    world = a_run(TASKS, declared={"c": {"retries": 1, "retry_jitter": False}}, c="error")
    started_again(world, after_s=-7200)
    world.after(4)
    assert ("c", 2) not in world.sent
    world.after(2)
    assert ("c", 2) in world.sent


def test_retry_that_was_due_in_downtime_is_sent_at_once() -> None:
    world = a_run(TASKS, declared={"c": {"retries": 1}}, c="error")
    deadline = world.fact("c").deadline
    started_again(world, after_s=7200)
    assert world.fact("c").deadline == deadline
    assert ("c", 2) not in world.sent
    world.after(0)
    assert ("c", 2) in world.sent


def test_every_page_is_checked_at_once() -> None:
    world = started_again(a_run(TASKS, a="started"), after_s=60)
    due = {timer.page for timer in world.driver.page_timers if timer.due <= world.now}
    assert due == {0, 1, 2}


def test_recovery_of_an_unknown_run_does_nothing() -> None:
    world = a_run(TASKS)
    before = len(world.published)
    perform(recover("0" * 26), world.driver.ports)
    assert len(world.published) == before
