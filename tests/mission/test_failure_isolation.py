"""After a failure everything that is not blocked still runs, and the blocked tasks say by what."""

from cordyna_core.contract.state_updates import RunStateChanged
from mission.stage import Stage

DIAMOND = ("a: bad  good", "b: needs-bad<-bad  needs-good<-good  report<-needs-bad,needs-good")


def test_what_the_failure_does_not_block_still_runs() -> None:
    stage = Stage(*DIAMOND, fails=("bad",))

    run = stage.invoke("report")

    assert stage.states(run) == {
        "bad": "error failed",
        "good": "completed",
        "needs-bad": "pending blocked",
        "needs-good": "completed",
        "report": "pending blocked",
    }


def test_a_blocked_task_says_by_what_it_is_blocked() -> None:
    stage = Stage(*DIAMOND, fails=("bad",))

    run = stage.invoke("report")

    assert stage.task(run, "report").blocked_by == ["bad"]
    assert stage.task(run, "report").why == "report on b is blocked: it needs bad, which failed."
    assert [(cause.task, cause.server, cause.reason) for cause in stage.run(run).root_causes] == [
        ("bad", "a", "failed")
    ]


def test_a_blocked_task_is_never_sent() -> None:
    stage = Stage(*DIAMOND, fails=("bad",))

    stage.after(0).invoke("report")
    stage.after(3600)

    assert {command.task for command in stage.commands} == {"bad", "good", "needs-good"}


def test_the_run_is_failing_at_once_and_ends_in_error_when_nothing_more_can_happen() -> None:
    stage = Stage(*DIAMOND, fails=("bad",), silent=("good",))
    run = stage.invoke("report")
    assert stage.run(run).state == "failing"

    stage.after(5)
    assert stage.run(run).state == "failing"

    stage.say(run, "good", "completed")
    assert stage.after(5).run(run).state == "error"
    states = [
        envelope.message.state
        for envelope in stage.said(RunStateChanged)
        if isinstance(envelope.message, RunStateChanged)
    ]
    assert states == ["running", "failing", "error"]


def test_the_end_names_the_root_causes_and_counts_what_they_blocked() -> None:
    stage = Stage(*DIAMOND, fails=("bad",))
    stage.invoke("report")

    ended = stage.after(5).said(RunStateChanged)[-1].message

    assert isinstance(ended, RunStateChanged)
    assert (ended.state, [cause.task for cause in ended.root_causes], ended.blocked) == (
        "error",
        ["bad"],
        2,
    )


def test_two_failures_are_both_named_by_what_needs_them_both() -> None:
    stage = Stage(
        "a: bad  worse", "b: both<-bad,worse  one<-bad  end<-both,one", fails=("bad", "worse")
    )

    run = stage.invoke("end")

    assert stage.task(run, "both").blocked_by == ["bad", "worse"]
    assert stage.task(run, "one").blocked_by == ["bad"]
