"""Rule 5: when a run ends, and when it is reopened (docs/rules.md, rule 5)."""

from contextlib import suppress

import pytest

from cerebro.core.effects import ReadPage, WriteTask
from cerebro.core.internal_messages import OverdueCheck, PageTimer
from cerebro.handlers.receive import program_of
from cerebro.shell import PERFORM
from cerebro.simulator.parts.sizes import Sizes, sizes
from cordyna_core.contract.state_updates import RunStateChanged
from world.scenarios import a_run


def test_run_completes_with_its_target() -> None:
    world = a_run("a  b<-a", a="completed")
    assert world.run().state == "running"
    world.reach("b", "completed")
    assert world.run().state == "completed"
    assert world.run_states == ["running", "completed"]


def test_run_ends_in_error_seconds_after_last_failure() -> None:
    world = a_run("a  b<-a", a="error")
    assert world.run().state == "failing"
    assert world.after(4).run().state == "error"
    assert world.run_states == ["running", "failing", "error"]


def test_run_with_live_task_does_not_end() -> None:
    world = a_run("a  b  c<-a,b", a="error", b="started").after(600)
    assert world.run().state == "failing"
    world.report("b", "completed")
    assert world.after(4).run().state == "error"


def test_run_with_task_in_retry_wait_does_not_end() -> None:
    world = a_run("a  b  c<-a,b", declared={"b": {"retries": 1}}, a="error", b="error").after(4.5)
    assert world.run().state == "failing"


def test_run_end_names_root_causes_and_counts_blocked() -> None:
    world = a_run("a  b<-a  c<-b", declared={"a": {"owner": "team-a"}}, a="error").after(4)
    end = [message for message in world.published if isinstance(message, RunStateChanged)][-1]
    assert [(cause.task, cause.server, cause.owner, cause.reason) for cause in end.root_causes] == [
        ("a", "s", "team-a", "failed")
    ]
    assert end.blocked == 2


def test_heal_reopens_run() -> None:
    world = a_run("a  b<-a", a="error").after(4)
    world.report("a", "completed")
    assert world.run().state == "running"
    world.reach("b", "completed")
    assert world.run().state == "completed"


def test_run_is_failing_only_while_something_has_failed() -> None:
    """`b` is healed before the run ends; `a` is retried, and fails again."""
    world = a_run("a  b  c  d<-a,b,c", a="error", c="started")
    world.report("b", "started")
    assert world.run().state == "failing"
    world.retry("a")
    assert world.run().state == "running"
    assert world.run().root_causes == []
    world.reach("a", "error")
    assert world.run().state == "failing"
    assert [cause.task for cause in world.run().root_causes] == ["a"]


def test_end_lost_in_crash_is_published_on_redelivery() -> None:
    world = a_run("a", a="error")
    timer = next(timer for timer in world.driver.page_timers if timer.due == world.now + 3)
    world.now += 3
    world.driver.crash_once(timer, lambda: world.run().state == "error")
    assert world.run_states[-1] == "failing", "it crashed before it published"
    world.handle(timer)
    assert world.run_states[-1] == "error"


def test_failure_lost_in_crash_is_published_on_redelivery() -> None:
    world = a_run("a  b  c<-a,b", a="started")
    update = world.update("a", "error")
    world.driver.crash_once(update, lambda: world.stored_run().failing)
    assert world.run_states == ["running"], "it crashed before it published"
    world.handle(update)
    assert world.run_states == ["running", "failing"]


def test_expiry_lost_in_crash_is_published_after_run_end() -> None:
    world = a_run("a")
    timer, end = world.driver.page_timers[0], len(world.published)
    world.now = timer.due
    check = OverdueCheck(timer.run_id, timer.page, timer.due, timer.due)
    world.driver.crash_once(check, lambda: world.state_of("a") == "error ack_timeout")
    assert len(world.published) == end, "it crashed before it published"
    world.handle(PageTimer(timer.run_id, timer.page, timer.due - 1))
    assert world.run().state == "error"
    world.handle(check)
    assert "ack_timeout" in [getattr(message, "reason", None) for message in world.published[end:]]


def test_expiry_whose_write_answer_was_lost_is_published() -> None:
    world = a_run("a  b<-a")
    world.now = world.driver.page_timers[0].due
    program = program_of(OverdueCheck(world.run_id, 0, world.now, world.now))
    assert program is not None
    effect = program.send(None)
    with suppress(StopIteration):
        while True:
            answer = PERFORM[type(effect)](world.driver.ports, effect)
            if isinstance(effect, WriteTask) and answer is None:
                answer = effect.new
            effect = program.send(answer)
    assert "ack_timeout" in [getattr(message, "reason", None) for message in world.published]


@sizes(Sizes(page=1))
def test_end_check_reads_pages_from_last_to_first() -> None:
    world = a_run("a  b<-a  c<-b", a="error")
    program = program_of(PageTimer(world.run_id, 0, world.now))
    assert program is not None
    effect, pages = program.send(None), []
    with suppress(StopIteration):
        while True:
            pages += [effect.page] if isinstance(effect, ReadPage) else []
            effect = program.send(PERFORM[type(effect)](world.driver.ports, effect))
    assert pages == [0, 2, 1, 0], (
        "its own page first, then all of them: a dispatch in between shows"
    )


@sizes(Sizes(page=1))
def test_end_check_of_other_page_completes_run() -> None:
    world = a_run("a  b  c<-a,b", a="error", b="completed")
    world.report("a", "completed")
    world.report("c", "started")
    update = world.update("c", "completed")
    world.driver.crash_once(update, lambda: world.state_of("c") == "completed")
    world.handle(PageTimer(world.run_id, 0, world.now))
    assert world.run().state == "completed"
    assert world.run_states[-1] == "completed"


@pytest.mark.parametrize("effects", range(1, 16))
def test_heal_during_the_check_of_the_end_prevents_it(effects: int) -> None:
    world = a_run("a  b<-a", a="error")
    resume = world.driver.begin(PageTimer(world.run_id, 0, world.now), effects=effects)
    world.report("a", "completed")
    resume(100)
    assert world.run().state != "error"
    world.reach("b", "completed")
    assert world.run().state == "completed"
