"""Rule 17: a page check finds what crashed after its fact, on narrow pages and wide fan-outs."""

from collections.abc import Iterator

import pytest

from cerebro.core.internal_messages import PageTimer
from cerebro.simulator.parts.sizes import Sizes, sizes
from cordyna_core.contract.commands import InvokeTask, RetryRun
from cordyna_core.contract.ids import CLIENT, run_id_of
from world.scenarios import ReactionWorld, a_run, a_world


@pytest.fixture(autouse=True)
def _small() -> Iterator[None]:
    with sizes(Sizes(page=2, fan_out=2, commands=2)):
        yield


def check_page(world: ReactionWorld, page: int = 0) -> None:
    world.handle(PageTimer(world.run_id, page, world.now))


def crashed_after_its_fact(world: ReactionWorld, task: str, state: str) -> None:
    """Let the handler of an update crash when it has written the fact and nothing else."""
    update = world.update(task, state)
    world.driver.crash_once(update, lambda: world.state_of(task).startswith(state))


def test_roots_of_a_crashed_invocation_are_sent() -> None:
    world = a_world("a  b  c  d<-a,b,c")
    world.run_id = run_id_of("d", "k", CLIENT)
    command = world.envelope(InvokeTask(task="d", key="k"), CLIENT)
    world.driver.crash_once(command, lambda: world.store.read_run(world.run_id) is not None)
    assert world.sent == []
    check_page(world, 0)
    assert world.sent == [("a", 1), ("b", 1)]
    check_page(world, 1)
    assert world.sent == [("a", 1), ("b", 1), ("c", 1)]


@pytest.mark.parametrize("width", [1, 2, 3, 5])
def test_fan_out_of_a_crashed_completion_is_sent(width: int) -> None:
    names = "bcdef"[:width]
    world = a_run("a  " + "  ".join(f"{name}<-a" for name in names) + f"  z<-{','.join(names)}")
    crashed_after_its_fact(world, "a", "completed")
    check_page(world)
    assert sorted(world.sent[1:]) == [(name, 1) for name in names]


def test_fan_outs_of_two_crashed_completions_are_sent() -> None:
    world = a_run("a  b  c<-a  d<-a  e<-b  f<-b  z<-c,d,e,f")
    for task in "ab":
        crashed_after_its_fact(world, task, "completed")
    check_page(world)
    assert sorted(world.sent[2:]) == [(name, 1) for name in "cdef"]


@pytest.mark.parametrize("fan_out", [1, 2, 3])
def test_task_behind_joins_is_sent_once_by_a_repair(fan_out: int) -> None:
    """It is ready by itself, and it follows the join that the same timer completes."""
    with sizes(Sizes(page=7, fan_out=fan_out, awaited=2)):
        world = a_run("a  b  c  z<-a,b,c", a="completed", b="completed")
        crashed_after_its_fact(world, "c", "completed")
        check_page(world)
        assert world.sent[3:] == [("z", 1)]


def test_end_of_a_crashed_target_is_published() -> None:
    world = a_run("a")
    crashed_after_its_fact(world, "a", "completed")
    check_page(world)
    assert world.run_states == ["running", "completed"]


def test_failure_of_a_crashed_handler_is_published_and_ends_run() -> None:
    world = a_run("a  b<-a", a="started")
    crashed_after_its_fact(world, "a", "error")
    check_page(world)
    assert world.run_states == ["running", "failing", "error"]


def test_early_timer_of_a_failed_run_is_sent_again() -> None:
    """An update may revive an attempt of it, and count on this timer."""
    world = a_run("a", a="error").after(5)
    world.driver.lose_page_timers()
    timer = PageTimer(world.run_id, 0, world.now + 1)
    world.handle(timer)
    assert world.driver.page_timers == [timer]


@pytest.mark.parametrize("effects", range(4))
def test_early_timer_of_a_completed_run_is_sent_again(effects: int) -> None:
    """A rerun counts on it, because it is recorded, while its handler is at any effect."""
    world = a_run("a  b<-a", a="completed")
    world.reach("b", "completed")
    (timer,) = world.driver.page_timers
    world.driver.lose_page_timers()
    world.now = timer.due - 3
    resume = world.driver.begin(timer, effects=effects)
    world.publish(RetryRun(run_id=world.run_id, from_=["a"], downstream=True), CLIENT)
    assert world.driver.page_timers in ([], [timer])
    world.now = timer.due
    resume(100)
    assert world.after(11).state_of("a") == "error ack_timeout"


def test_early_timer_that_is_not_recorded_ends_with_its_run() -> None:
    """No rerun counts on it, and to send it again costs a message."""
    world = a_run("a", a="completed")
    (timer,) = world.driver.page_timers
    world.driver.lose_page_timers()
    world.now = timer.due - 3
    world.handle(timer)
    assert world.driver.page_timers == []


def test_next_timer_is_due_at_the_earliest_deadline() -> None:
    world = a_run("a  b  c<-a,b", a="started", b="queued").after(11)
    deadlines = [world.fact(task).deadline or 0.0 for task in "ab"]
    assert [timer.due for timer in world.driver.page_timers] == [min(deadlines)]


def test_completed_run_arms_no_timer() -> None:
    world = a_run("a  b<-a", a="completed")
    resume = world.driver.begin(PageTimer(world.run_id, 0, world.now), effects=2)
    world.reach("b", "completed")
    world.driver.lose_page_timers()
    resume(50)
    assert world.driver.page_timers == []


def test_attempts_of_a_crashed_timer_elsewhere_are_sent() -> None:
    """It dispatched on another page and crashed; all expired, and the run has ended since."""
    world = a_run("a  b<-a  c<-a  d<-b,c", a="started")
    crashed_after_its_fact(world, "a", "completed")
    timer = PageTimer(world.run_id, 0, world.now)
    world.driver.crash_once(timer, lambda: bool(world.store.read_page(world.run_id, 1)))
    assert world.sent == [("a", 1)]
    world.driver.lose_page_timers()
    world.now += 11
    for page in (0, 1):
        world.handle(PageTimer(world.run_id, page, world.now))
    assert world.after(40).stored_run().status == "error"
    world.handle(timer)
    assert {("b", 1), ("c", 1)} <= set(world.sent)


def test_attempt_behind_a_join_of_a_crashed_timer_is_sent() -> None:
    """It completed a join on another page, dispatched from it and crashed; the run ended."""
    with sizes(Sizes(page=1, awaited=2)):
        world = a_run("a  b  c  z<-a,b,c", b="completed", c="completed")
        world.reach("a", "started")
        update = world.update("a", "completed")
        world.driver.crash_once(update, lambda: world.fact("a").is_completed)
        snapshot = world.store.read_run_snapshot(world.run_id)
        assert snapshot is not None
        target = snapshot.plan.target
        timer = PageTimer(world.run_id, 0, world.now)
        world.driver.crash_once(
            timer, lambda: world.store.read_task(world.run_id, target) is not None
        )
        assert ("z", 1) not in world.sent
        world.driver.lose_page_timers()
        world.now += 11
        world.handle(PageTimer(world.run_id, target, world.now))
        assert world.after(40).stored_run().status == "error"
        world.handle(timer)
        assert ("z", 1) in world.sent
