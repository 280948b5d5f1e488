"""Rule 17: overdue checks with more to decide than one message does, and of runs that are over."""

from collections.abc import Iterator

import pytest

from cerebro.core.internal_messages import OverdueCheck, PageTimer
from cerebro.simulator.parts.sizes import Sizes, sizes
from cordyna_core.contract.state_updates import TaskStateChanged
from world.scenarios import ReactionWorld, a_run


@pytest.fixture(autouse=True)
def _small() -> Iterator[None]:
    with sizes(Sizes(page=4, commands=2, decisions=2)):
        yield


def a_check(world: ReactionWorld, page: int = 0) -> OverdueCheck:
    return OverdueCheck(world.run_id, page, world.now, world.now, due=world.now)


def expiries(world: ReactionWorld) -> list[str]:
    return [
        message.task
        for message in world.published
        if isinstance(message, TaskStateChanged) and message.reason == "ack_timeout"
    ]


def test_failure_on_a_later_page_has_the_end_looked_for_there() -> None:
    world = a_run("a  b  c  d  e  f<-a,b,c,d,e", a="completed", b="completed", c="completed")
    world.reach("d", "completed")
    world.now += 11
    world.driver.lose_page_timers()
    world.handle(a_check(world, page=1))
    assert world.state_of("e") == "error ack_timeout"
    assert {timer.page for timer in world.driver.page_timers} == {1}


def test_rest_of_a_check_decides_what_was_overdue_when_asked() -> None:
    """What has become overdue since may be answered by updates that wait behind the first part."""
    world = a_run("a  b  c  d  e<-a,b,c,d")
    world.driver.lose_page_timers()
    world.report("d", "queued")
    asked_at = world.now + 11
    world.now += 700
    check = OverdueCheck(world.run_id, 0, asked_at, world.now, due=asked_at)
    world.handle(check)
    assert sorted(expiries(world)) == ["a", "b", "c"]
    assert world.state_of("d") == "queued"


def test_check_of_a_cancelled_run_publishes_what_it_expired() -> None:
    """It crashed after it expired one task, and the run was cancelled."""
    world = a_run("a  b  c<-a,b")
    world.now += 11
    check = a_check(world)
    world.driver.crash_once(check, lambda: world.state_of("a") == "error ack_timeout")
    assert expiries(world) == []
    world.cancel()
    world.handle(check)
    assert expiries(world) == ["a"]


def test_check_of_a_cancelled_run_cancels_what_it_dispatched() -> None:
    """It is paused before it puts the next attempt, and crashes after that."""
    for effects in range(1, 12):
        world = a_run("a", declared={"a": {"retries": 1}}, a="error")
        world.now += 10
        check = a_check(world)
        resume = world.driver.begin(check, effects=effects)
        world.cancel()
        resume(1)
        world.handle(check)
        assert not world.fact("a").is_live, effects


def test_earliest_back_off_is_armed_after_expiries() -> None:
    world = a_run(
        "a  b  c<-a,b",
        declared={
            "a": {"retries": 1, "retry_delay_s": 60, "retry_jitter": False},
            "b": {"retries": 1, "retry_delay_s": 20, "retry_jitter": False},
        },
    )
    world.now += 11
    world.driver.lose_page_timers()
    world.handle(a_check(world))
    assert min(timer.due for timer in world.driver.page_timers) == world.now + 20


def test_parts_of_a_check_wait_for_no_turn() -> None:
    """The first part waited already: the others follow it at once."""
    world = a_run("a  b  c  d  e<-a,b,c,d")
    world.now += 11
    check = a_check(world)
    world.handle(check)
    assert expiries(world) == list("abcd")


def test_crashed_check_sends_every_command() -> None:
    """More retries than leave together, and one whose write was the last before the crash."""
    for effects in range(1, 60):
        world = a_run("a  b  c  d<-a,b,c", declared={"every": {"retries": 1}})
        for task in "abc":
            world.report(task, "error")
        world.now += 20
        check = a_check(world)
        world.driver.crash(check, after=effects)
        world.handle(check)
        world.handle(PageTimer(world.run_id, 0, world.now))
        assert {(task, 2) for task in "abc"} <= set(world.sent), effects
        assert {world.task(task).attempt for task in "abc"} == {2}
