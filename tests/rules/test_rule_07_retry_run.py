"""Rule 7: RetryRun keeps what completed, gives what failed a new attempt with a fresh budget, and what was blocked follows."""

from contextlib import suppress

from cerebro.core.effects import PageTimer, WriteRun, WriteTask
from cerebro.handlers.receive import program_of
from cerebro.shell import PERFORM
from cordyna_core.contract.commands import RetryRun
from cordyna_core.contract.envelope import Envelope
from cordyna_core.contract.ids import CLIENT
from cordyna_core.contract.time import utc
from rules.scene import a_run


def test_it_keeps_what_completed_and_runs_what_failed_and_what_that_blocked() -> None:
    scene = a_run("a  b  c<-a,b", a="completed", b="error").after(5)
    before = len(scene.sent)
    scene.retries()
    assert scene.sent[before:] == [("b", 2)]
    scene.comes_to("b", "completed")
    assert scene.sent[before:] == [("b", 2), ("c", 1)]
    scene.comes_to("c", "completed")
    assert scene.run().state == "completed"


def test_it_reopens_the_run_and_says_so() -> None:
    scene = a_run("a", a="error").after(5)
    scene.retries()
    assert scene.run_states == ["running", "failing", "error", "running"]


def test_the_new_attempt_has_a_fresh_budget() -> None:
    scene = a_run("a", declared={"a": {"retries": 1}}, a="error").after(7)
    scene.comes_to("a", "error")
    scene.after(5).retries()
    scene.comes_to("a", "error")
    assert scene.is_at("a") == "pending retry_wait"
    assert scene.after(30).sent == [("a", 1), ("a", 2), ("a", 3), ("a", 4)]


def test_a_terminal_failure_is_tried_again_when_a_person_asks() -> None:
    scene = a_run("a", declared={"a": {"retries": 1}}, a="started")
    scene.says("a", "error", error={"type": "Terminal", "retryable": False})
    scene.after(5).retries()
    assert scene.sent == [("a", 1), ("a", 2)]


def test_from_names_which_failures() -> None:
    scene = a_run("a  b  c<-a,b", a="error", b="error").after(5)
    scene.retries("b")
    assert scene.sent[2:] == [("b", 2)]
    scene.comes_to("b", "completed")
    assert scene.after(5).run().state == "error"


def test_the_same_command_acts_once() -> None:
    scene = a_run("a", a="error").after(5)
    scene.retries(command_id="r1")
    scene.comes_to("a", "error")
    scene.after(5).retries(command_id="r1")
    assert scene.sent == [("a", 1), ("a", 2)]
    assert scene.run_as_kept().commands == ("r1",)


def test_a_delivery_that_was_paused_while_another_one_acted_does_not_act_again() -> None:
    for paused in range(1, 30):
        scene = a_run("a", a="error").after(5)
        command = Envelope(
            CLIENT, RetryRun(run_id=scene.run_id, command_id="r1"), "event", utc(scene.now)
        )
        goes_on = scene.begins(command, steps=paused)
        scene.hears(command)
        scene.after(30)
        assert scene.is_at("a") == "error ack_timeout"
        attempt = scene.task("a").attempt
        goes_on(100)
        assert scene.task("a").attempt == attempt == 2, paused
        assert scene.after(5).run().state == "error"


def test_two_deliveries_that_both_wrote_leave_nothing_live_in_a_run_that_is_over() -> None:
    """The first is paused before it opens the run, so long that its attempt expires; the second saw that, and writes last."""
    for paused in range(1, 30):
        for seen in range(1, 12):
            scene = a_run("a", a="error").after(5)
            command = Envelope(
                CLIENT, RetryRun(run_id=scene.run_id, command_id="r1"), "event", utc(scene.now)
            )
            first = scene.begins(command, steps=paused)
            scene.hears(PageTimer(scene.run_id, 0, scene.now))
            scene.after(12)
            second = scene.begins(command, steps=seen)
            first(100)
            scene.after(12)
            second(100)
            run = scene.run_as_kept()
            assert run.status == "running" or not scene.fact("a").is_live, (paused, seen)
            assert run.commands in ((), ("r1",))


def test_a_late_word_about_the_attempt_before_does_not_take_the_new_one_away() -> None:
    """It is kept with the fact, which is another revision then, and yet the same attempt."""
    for paused in range(1, 30):
        scene = a_run("a", a="error").after(5)
        goes_on = scene.begins(
            Envelope(
                CLIENT, RetryRun(run_id=scene.run_id, command_id="r1"), "event", utc(scene.now)
            ),
            steps=paused,
        )
        scene.says("a", "completed", attempt=1)
        goes_on(100)
        assert ("a", 2) in scene.sent or scene.run().state == "completed", paused


def test_a_crash_at_any_effect_leaves_one_more_attempt_that_is_guarded() -> None:
    for steps in range(40):
        scene = a_run("a  b<-a", a="error").after(5)
        command = Envelope(
            CLIENT, RetryRun(run_id=scene.run_id, command_id="r1"), "event", utc(scene.now)
        )
        done = scene.crashes(command, after=steps)
        scene.hears(command)
        assert scene.task("a").attempt == 2
        assert scene.run_as_kept().status == "running"
        assert any(ring.due <= scene.now + 10 for ring in scene.rings)
        if done < steps:
            return
    raise AssertionError("it never came to its end")


def test_a_write_whose_answer_was_lost_does_not_apply_the_command_twice() -> None:
    scene = a_run("a", a="error").after(5)
    program = program_of(
        Envelope(CLIENT, RetryRun(run_id=scene.run_id, command_id="r1"), "event", utc(scene.now))
    )
    assert program is not None
    effect = program.send(None)
    with suppress(StopIteration):
        while True:
            answer = PERFORM[type(effect)](scene.ports, effect)
            if isinstance(effect, WriteRun | WriteTask) and answer is None:
                answer = effect.new
            effect = program.send(answer)
    assert scene.run_as_kept().commands == ("r1",)
    assert scene.sent == [("a", 1), ("a", 2)]
    assert scene.run_states[-1] == "running", "that it was opened again is told"


def test_it_is_refused_when_nothing_failed() -> None:
    scene = a_run("a", a="started")
    scene.retries()
    assert scene.problems == ["nothing_failed"]


def test_it_is_refused_for_a_cancelled_run() -> None:
    scene = a_run("a", a="started")
    scene.cancels()
    scene.retries()
    assert scene.problems == ["run_cancelled"]


def test_it_is_refused_for_a_task_that_the_run_does_not_have() -> None:
    scene = a_run("a", a="error")
    scene.retries("z")
    assert scene.problems == ["unknown_task"]


def test_it_is_refused_for_a_run_that_nobody_knows() -> None:
    scene = a_run("a", a="error")
    scene.retries(run_id="0" * 26)
    assert scene.problems == ["unknown_run"]
