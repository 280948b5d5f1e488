"""Rule 7: RetryRun gives what failed a new attempt, once (docs/rules.md, rule 7)."""

from contextlib import suppress

from cerebro.core.effects import WriteRun, WriteTask
from cerebro.core.internal_messages import PageTimer
from cerebro.handlers.receive import program_of
from cerebro.shell import PERFORM
from cordyna_core.contract.ids import CLIENT
from cordyna_core.contract.state_updates import InvocationRejected
from world.scenarios import ReactionWorld, a_run


def test_retry_runs_failed_and_then_blocked_tasks() -> None:
    world = a_run("a  b  c<-a,b", a="completed", b="error").after(5)
    before = len(world.sent)
    world.retry()
    assert world.sent[before:] == [("b", 2)]
    world.reach("b", "completed")
    assert world.sent[before:] == [("b", 2), ("c", 1)]
    world.reach("c", "completed")
    assert world.run().state == "completed"


def test_retry_reopens_run_and_publishes_it() -> None:
    world = a_run("a", a="error").after(5)
    world.retry()
    assert world.run_states == ["running", "failing", "error", "running"]


def test_retry_gives_fresh_budget() -> None:
    world = a_run("a", declared={"a": {"retries": 1}}, a="error").after(7)
    world.reach("a", "error")
    world.after(5).retry()
    world.reach("a", "error")
    assert world.state_of("a") == "pending retry_wait"
    assert world.after(30).sent == [("a", 1), ("a", 2), ("a", 3), ("a", 4)]


def test_attempt_that_expired_while_the_retry_was_paused_is_sent() -> None:
    """A timer opened the run for the attempt that the retry had put, and expired it."""
    for effects in range(1, 20):
        world = a_run("a", a="error").after(5)
        retry = world.envelope(world.retry_command(command_id="r"), CLIENT)
        resume = world.driver.begin(retry, effects=effects)
        if len(world.sent) > 1:
            break
        world.now += 11
        world.handle(PageTimer(world.run_id, 0, world.now))
        world.after(1)
        resume(100)
        assert world.sent == [("a", 1), ("a", 2)], effects
        world.reach("a", "completed")
        assert world.run().state == "completed"


def test_retry_of_terminal_failure_dispatches() -> None:
    world = a_run("a", declared={"a": {"retries": 1}}, a="started")
    world.report("a", "error", error={"type": "Terminal", "retryable": False})
    world.after(5).retry()
    assert world.sent == [("a", 1), ("a", 2)]


def test_retry_from_limits_which_failures() -> None:
    world = a_run("a  b  c<-a,b", a="error", b="error").after(5)
    world.retry("b")
    assert world.sent[2:] == [("b", 2)]
    world.reach("b", "completed")
    assert world.after(5).run().state == "error"


def test_retry_repeated_acts_once() -> None:
    world = a_run("a", a="error").after(5)
    world.retry(command_id="r1")
    world.reach("a", "error")
    world.after(5).retry(command_id="r1")
    assert world.sent == [("a", 1), ("a", 2)]
    assert world.stored_run().commands == ("r1",)


def test_retry_paused_while_other_delivery_acts_does_nothing() -> None:
    for paused in range(1, 30):
        world = a_run("a", a="error").after(5)
        command = world.envelope(world.retry_command(command_id="r1"), CLIENT)
        resume = world.driver.begin(command, effects=paused)
        world.handle(command)
        world.after(30)
        assert world.state_of("a") == "error ack_timeout"
        attempt = world.task("a").attempt
        resume(100)
        assert world.task("a").attempt == attempt == 2, paused
        assert world.after(5).run().state == "error"


def test_retry_paused_until_its_attempt_failed_opens_nothing() -> None:
    """What a delivery put is looked at again before the run is opened.

    1. It is paused as soon as it has put the attempt.
    2. The second delivery opens the run, the attempt fails, and the run ends in error.
    3. The first finds nothing of its own any more.
    """
    for paused in range(1, 30):
        world = a_run("a", a="error").after(5)
        command = world.envelope(world.retry_command(command_id="r1"), CLIENT)
        resume = world.driver.begin(command, effects=paused)
        if world.fact("a").attempt == 2:
            break
    world.handle(command)
    world.reach("a", "error")
    ended = world.after(5).stored_run()
    assert ended.status == "error"
    resume(100)
    assert world.stored_run() == ended
    assert world.sent == [("a", 1), ("a", 2)]


def test_retry_delivered_twice_leaves_no_live_task_in_ended_run() -> None:
    """Both deliveries write.

    1. The first is paused before it reopens the run, until its attempt expires.
    2. The second reads that, and writes last.
    """
    for paused in range(1, 30):
        for seen in range(1, 12):
            world = a_run("a", a="error").after(5)
            command = world.envelope(world.retry_command(command_id="r1"), CLIENT)
            first = world.driver.begin(command, effects=paused)
            world.handle(PageTimer(world.run_id, 0, world.now))
            world.after(12)
            second = world.driver.begin(command, effects=seen)
            first(100)
            world.after(12)
            second(100)
            run = world.stored_run()
            assert run.status == "running" or not world.fact("a").is_live, (paused, seen)
            assert run.commands in ((), ("r1",))


def test_retry_with_late_update_of_old_attempt_is_sent() -> None:
    """The late fact steps the revision of the task run, but not its attempt."""
    for paused in range(1, 30):
        world = a_run("a", a="error").after(5)
        resume = world.driver.begin(
            world.envelope(world.retry_command(command_id="r1"), CLIENT),
            effects=paused,
        )
        world.report("a", "completed", attempt=1)
        resume(100)
        assert ("a", 2) in world.sent or world.run().state == "completed", paused


def test_retry_crashed_anywhere_leaves_one_guarded_attempt() -> None:
    for steps in range(40):
        world = a_run("a  b<-a", a="error").after(5)
        command = world.envelope(world.retry_command(command_id="r1"), CLIENT)
        done = world.driver.crash(command, after=steps)
        world.handle(command)
        assert world.task("a").attempt == 2
        assert world.stored_run().status == "running"
        assert any(timer.due <= world.now + 10 for timer in world.driver.page_timers)
        if done < steps:
            return
    raise AssertionError("the program did not end within 40 effects")


def test_retry_with_lost_write_answers_applies_once() -> None:
    world = a_run("a", a="error").after(5)
    program = program_of(world.envelope(world.retry_command(command_id="r1"), CLIENT))
    assert program is not None
    effect = program.send(None)
    with suppress(StopIteration):
        while True:
            answer = PERFORM[type(effect)](world.driver.ports, effect)
            if isinstance(effect, WriteRun | WriteTask) and answer is None:
                answer = effect.new
            effect = program.send(answer)
    assert world.stored_run().commands == ("r1",)
    assert world.sent == [("a", 1), ("a", 2)]
    assert world.run_states[-1] == "running", "the reopened run is published"


def test_retry_without_failure_is_refused() -> None:
    world = a_run("a", a="started")
    world.retry()
    assert world.problems == ["nothing_failed"]


def test_second_retry_without_failure_is_refused() -> None:
    """That another retry was applied does not make it one that was."""
    world = a_run("a", a="error").after(5)
    world.retry(command_id="r1")
    world.report("a", "started")
    world.retry(command_id="r2")
    assert world.problems == ["nothing_failed"]
    assert world.stored_run().commands == ("r1",)


def test_retry_of_cancelled_run_is_refused() -> None:
    world = a_run("a", a="started")
    world.cancel()
    world.retry()
    assert world.problems == ["run_cancelled"]


def test_retry_from_task_outside_run_is_refused() -> None:
    world = a_run("a", a="error")
    world.retry("z")
    assert world.problems == ["unknown_task"]


def test_retry_of_unknown_run_is_refused() -> None:
    world = a_run("a", a="error")
    world.retry(run_id="0" * 26)
    assert world.problems == ["unknown_run"]


def a_moved_run(*, a: str, b: str) -> ReactionWorld:
    """A run of c<-a,b of server s, after which server t took over a."""
    world = a_run("a  b  c<-a,b", a=a, b=b).after(5)
    world.declare("s", "b  c<-a,b")
    world.declare("t", "a")
    return world


def test_retry_of_moved_task_is_refused() -> None:
    world = a_moved_run(a="error", b="completed")
    world.retry()
    (refused,) = [message for message in world.published if isinstance(message, InvocationRejected)]
    (problem,) = refused.problems
    assert (problem.code, problem.path) == ("task_moved", ["a"])
    assert problem.message.startswith("a is t's now, ")
    assert problem.message.endswith(": invoke 'c' again")
    assert world.sent == [("a", 1), ("b", 1)]
    assert world.run().state == "error"


def test_retry_from_other_failures_than_the_moved_dispatches() -> None:
    world = a_moved_run(a="error", b="error")
    world.retry("b")
    assert world.sent[2:] == [("b", 2)]


def test_retry_with_moved_task_completed_dispatches() -> None:
    world = a_moved_run(a="completed", b="error")
    world.retry()
    assert world.sent[2:] == [("b", 2)]


def test_retry_begun_before_the_task_moved_is_finished() -> None:
    for crash in range(1, 30):
        world = a_run("a  b  c<-a,b", a="error", b="error").after(5)
        command = world.envelope(world.retry_command(command_id="r1"), CLIENT)
        world.driver.crash(command, after=crash)
        begun = any(world.task(name).attempt == 2 for name in "ab")
        world.declare("s", "b  c<-a,b")
        world.declare("t", "a")
        world.handle(command)
        assert world.problems == ([] if begun else ["task_moved"])
        assert (world.run().state == "error") is not begun
