"""Rule 17: every deadline is guarded by a timer (docs/rules.md, rule 17)."""

import pytest

from cerebro.core.internal_messages import FanOut, PageTimer
from cerebro.core.model.task_run import Rank
from cerebro.core.run import page_check
from cerebro.shell import perform
from cerebro.simulator.parts.sizes import Sizes, sizes
from cordyna_core.contract.commands import InvokeTask, RetryRun
from cordyna_core.contract.ids import CLIENT, run_id_of
from world.reuse import fresh, run_through
from world.scenarios import a_run, a_world


@pytest.mark.parametrize(("state", "clock_s"), [("", 10), ("queued", 610), ("started", 1800)])
def test_every_clock_expires_within_two_seconds(state: str, clock_s: float) -> None:
    world = a_run("a", a=state)
    assert any(timer.due <= world.now + clock_s for timer in world.driver.page_timers)
    assert not world.after(clock_s - 0.1).state_of("a").startswith("error")
    assert world.after(2.1).state_of("a").startswith("error")


def test_expiry_reason_names_the_clock() -> None:
    assert a_run("a").after(11).state_of("a") == "error ack_timeout"
    assert a_run("a", a="queued").after(611).state_of("a") == "error start_timeout"
    assert a_run("a", a="started").after(1801).state_of("a") == "error run_timeout"


def test_page_with_many_dispatches_has_one_timer() -> None:
    world = a_run("a  b  c  d<-a,b,c")
    assert len(world.driver.page_timers) == 1


def test_timer_of_a_run_of_one_task_may_end_with_its_run() -> None:
    """It is the only one that is not recorded, so a rerun arms a timer of its own."""
    world = a_run("a", a="completed")
    assert [timer.is_shared for timer in world.driver.page_timers] == [False]
    world.driver.lose_page_timers()
    world.publish(RetryRun(run_id=world.run_id, from_=["a"], downstream=True), CLIENT)
    assert [timer.is_shared for timer in world.driver.page_timers] == [True]
    assert world.after(11).state_of("a") == "error ack_timeout"


@pytest.mark.parametrize("tasks", ["a  b<-a", "a  b  c<-a,b"])
def test_timer_of_a_larger_run_may_not_end_with_its_run(tasks: str) -> None:
    """It is recorded: a rerun within its time relies on it."""
    assert {timer.is_shared for timer in a_run(tasks).driver.page_timers} == {True}


def test_deadline_before_next_timer_gets_its_own_timer() -> None:
    world = a_run("a  b  c<-a,b", declared={"b": {"ack_timeout_s": 600}})
    assert [timer.due - world.now for timer in world.driver.page_timers] == [10]
    world.reach("a", "completed")
    world.after(11)
    assert any(timer.due - world.now <= 600 for timer in world.driver.page_timers), (
        "the timer was armed for the next deadline"
    )


def test_early_timer_is_sent_again_and_does_nothing() -> None:
    world = a_run("a")
    fact = world.fact("a")
    world.handle(PageTimer(world.run_id, 0, world.now + 10))
    assert world.fact("a") == fact
    assert len(world.driver.page_timers) == 2


def test_stale_timer_changes_nothing() -> None:
    world = a_run("a", a="started")
    fact, published = world.fact("a"), len(world.published)
    world.handle(PageTimer(world.run_id, 0, world.now - 500))
    assert (world.fact("a"), len(world.published)) == (fact, published)


def test_timer_due_within_clock_skew_does_not_guard() -> None:
    world = a_run("a")
    world.now += 8.5
    world.report("a", "queued")
    assert len(world.driver.page_timers) == 2, (
        "the timer due in 1.5 s may fire before this deadline is written"
    )


@pytest.mark.parametrize("tasks", ["a", "a  b<-a"])
def test_update_in_time_shares_the_timer_of_its_command(tasks: str) -> None:
    world = a_run(tasks)
    world.now += 2
    world.report("a", "started")
    assert len(world.driver.page_timers) == 1
    assert world.after(1800.5).state_of("a") == "error run_timeout"


@pytest.mark.parametrize("tasks", ["a", "a  b<-a"])
def test_update_paused_before_its_write_is_guarded(tasks: str) -> None:
    """It read the clock in time; the timer of its command is spent, and its check waits."""
    for effects in range(8):
        world = a_run(tasks)
        world.now += 2
        resume = world.driver.begin(world.update("a", "started"), effects=effects)
        world.now += 9
        world.driver.begin(world.driver.page_timers[0], effects=100)
        resume(100)
        assert world.fact("a").rank == Rank.STARTED
        deadline = world.fact("a").deadline
        assert deadline is not None
        timers = [timer.due for timer in world.driver.page_timers]
        assert any(world.now < due <= deadline for due in timers), effects


def test_update_before_a_queued_clock_is_armed_is_guarded() -> None:
    """The writer of `queued` stopped before it armed a timer, and the first one is spent."""
    world = a_run("a  b<-a")
    world.now += 11
    world.driver.crash_once(world.update("a", "queued"), lambda: world.state_of("a") == "queued")
    world.driver.lose_page_timers()
    world.report("a", "started")
    assert world.driver.page_timers
    assert world.after(1800.5).state_of("a") == "error run_timeout"


def test_update_with_an_earlier_deadline_is_armed() -> None:
    world = a_run("a  b<-a", declared={"a": {"run_timeout_s": 2}})
    world.now += 1
    world.report("a", "started")
    assert len(world.driver.page_timers) == 2
    assert world.after(4.1).state_of("a") == "error run_timeout"


def test_start_is_armed_if_its_clock_ends_before_queued() -> None:
    """The timer of `a` finds `b` queued and arms the next one for that clock, in ten minutes."""
    world = a_run("a  b<-a", declared={"b": {"run_timeout_s": 60}})
    world.after(6).reach("a", "completed")
    world.report("b", "queued")
    assert len(world.driver.page_timers) == 1, "b shares the timer of a"
    world.after(4.5).report("b", "started")
    assert world.after(62).state_of("b") == "error run_timeout"


def test_only_task_shares_no_timer_and_records_none() -> None:
    world = a_run("a")
    assert len(world.driver.page_timers) == 1
    assert not world.driver.ports.store.has_page_timer(world.run_id, 0, world.now, world.now + 99)


def test_only_task_that_is_retried_records_its_timer() -> None:
    world = a_run("a", declared={"a": {"retries": 1, "ack_timeout_s": 100}}, a="error")
    world.after(60)
    assert world.task("a").attempt == 2
    assert world.driver.ports.store.has_page_timer(world.run_id, 0, world.now, world.now + 999)


def test_dispatch_crashed_anywhere_is_found_by_timer() -> None:
    for steps in range(40):
        world = a_run("a  b<-a", a="started")
        update = world.update("a", "completed")
        done = world.driver.crash(update, after=steps)
        if done < steps:
            return
        world.after(3700)  # it is not delivered again: only the timer is left
        assert world.task("a").state in ("completed", "error")
        assert world.run().state == "error" or world.task("b").attempt, steps
    raise AssertionError("the program did not end within 40 effects")


def test_timer_repeats_effects_of_completed_task() -> None:
    world = a_run("a  z  b<-a  c<-b,z", a="started")
    update = world.update("a", "completed")
    world.driver.crash_once(update, lambda: world.state_of("a") == "completed")
    assert ("b", 1) not in world.sent
    assert ("b", 1) in world.after(11).sent, "the timer of z checks the whole page"


def test_dispatch_during_heal_is_guarded_after_run_end() -> None:
    world = a_run("a  b  c<-a,b", a="started", b="error")
    update = world.update("a", "completed")
    world.driver.crash_once(update, lambda: world.state_of("a") == "completed")
    world.after(5)
    assert world.run().state == "error"
    heal = world.update("b", "completed")
    world.driver.crash_once(heal, lambda: world.state_of("b") == "completed")
    world.handle(update)  # it reads both as completed, dispatches c, and heals nothing
    assert world.state_of("c") == "pending dispatched"
    assert world.stored_run().status == "error", (
        "the completion of b crashed before it healed the run"
    )
    assert world.after(12).state_of("c") == "error ack_timeout"


def test_sweep_finds_page_that_lost_its_timer() -> None:
    world = a_run("a")
    world.driver.lose_page_timers()
    assert world.after(3600).state_of("a") == "pending dispatched"
    assert world.driver.sweep() == 1
    assert world.after(0).state_of("a") == "error ack_timeout"


def test_sweep_skips_ended_runs() -> None:
    world = a_run("a", a="completed")
    assert world.driver.sweep() == 0


def test_sweep_repeated_changes_nothing() -> None:
    world = a_run("a  b<-a", a="started")
    before = world.fact("a")
    for _ in range(3):
        world.driver.sweep()
        world.after(0)
    assert world.fact("a") == before


@pytest.mark.parametrize("steps", range(40))
def test_timer_crashed_after_join_resumes_on_redelivery(
    steps: int,
) -> None:
    """d is on another page than a, b and c: its page needs a timer of its own."""
    with sizes(Sizes(page=3, awaited=2)):
        world = a_run("a  b  c  d<-a,b,c", a="completed", b="completed", c="started")
        world.driver.crash_once(
            world.update("c", "completed"), lambda: world.state_of("c") == "completed"
        )
        timer = PageTimer(world.run_id, 0, world.now)
        world.driver.crash(timer, after=steps)
        world.handle(timer)
        assert world.state_of("d") == "pending dispatched"
        assert ("d", 1) in world.sent
        assert [
            timer
            for timer in world.driver.page_timers
            if timer.page == 1 and timer.due <= world.now + 10
        ]


def test_join_completed_last_has_run_end_checked() -> None:
    """A join has no deadline, so the run of which it was the last live task needs an end check."""
    with sizes(Sizes(page=3, awaited=2)):
        world = a_run("a  b  c  d<-a,b,c", a="started", b="error", c="completed")
        world.driver.crash_once(
            world.update("a", "completed"), lambda: world.state_of("a") == "completed"
        )
        perform(
            page_check.on_page_timer(PageTimer(world.run_id, 0, world.now), repair=False),
            world.driver.ports,
        )
        world.driver.lose_page_timers()
        assert world.run().state == "failing", (
            "the join can still be completed, so the run does not end"
        )
        world.handle(FanOut(world.run_id, 0, 0, "timer:0:1.000"))
        assert world.after(5).run().state == "error"


def test_reused_result_completed_last_has_run_end_checked() -> None:
    """Beside it, only an attempt is left that expired before its command left: it has no clock."""
    with sizes(Sizes(page=1, commands=1)):
        world = a_world("a  b  c<-a,b", c={"upstream": ["a", fresh("b")]})
        run_through(world, "b", "b")
        world.run_id = run_id_of("c", "k", CLIENT)
        command = world.envelope(InvokeTask(task="c", key="k"), CLIENT)
        world.driver.crash_once(
            command,
            lambda: any(timer.run_id == world.run_id for timer in world.driver.page_timers),
        )
        world.after(700)
        assert world.run().state == "failing", "the result can still be reused"
        world.handle(command)
        assert world.state_of("b") == "completed reused"
        assert world.after(5).run().state == "error"
