"""Failure isolation: only what is downstream of a failure is blocked, and it names the cause."""

from cordyna_core.contract.state_updates import RunStateChanged
from world.scenarios import an_engine

DIAMOND = ("a: bad  good", "b: needs-bad<-bad  needs-good<-good  report<-needs-bad,needs-good")


def test_tasks_not_blocked_by_failure_still_run() -> None:
    world = an_engine(*DIAMOND, fails=("bad",))

    world.invoke("report")

    assert world.states() == {
        "bad": "error failed",
        "good": "completed",
        "needs-bad": "pending blocked",
        "needs-good": "completed",
        "report": "pending blocked",
    }


def test_blocked_task_names_what_blocks_it() -> None:
    world = an_engine(*DIAMOND, fails=("bad",))

    world.invoke("report")

    assert world.task("report").blocked_by == ["bad"]
    assert world.task("report").why == "report on b is blocked: it needs bad, which failed."
    assert [(cause.task, cause.server, cause.reason) for cause in world.run().root_causes] == [
        ("bad", "a", "failed")
    ]


def test_blocked_task_is_never_sent() -> None:
    world = an_engine(*DIAMOND, fails=("bad",))

    world.after(0).invoke("report")
    world.after(3600)

    assert {command.task for command in world.commands} == {"bad", "good", "needs-good"}


def test_run_is_failing_until_nothing_more_can_run() -> None:
    world = an_engine(*DIAMOND, fails=("bad",), silent=("good",))
    world.invoke("report")
    assert world.run().state == "failing"

    world.after(5)
    assert world.run().state == "failing"

    world.report("good", "completed")
    assert world.after(5).run().state == "error"
    states = [
        envelope.message.state
        for envelope in world.driver.events_of(RunStateChanged)
        if isinstance(envelope.message, RunStateChanged)
    ]
    assert states == ["running", "failing", "error"]


def test_run_end_lists_root_causes_and_blocked_count() -> None:
    world = an_engine(*DIAMOND, fails=("bad",))
    world.invoke("report")

    ended = world.after(5).driver.events_of(RunStateChanged)[-1].message

    assert isinstance(ended, RunStateChanged)
    assert (ended.state, [cause.task for cause in ended.root_causes], ended.blocked) == (
        "error",
        ["bad"],
        2,
    )


def test_task_behind_two_failures_names_both() -> None:
    world = an_engine(
        "a: bad  worse", "b: both<-bad,worse  one<-bad  end<-both,one", fails=("bad", "worse")
    )

    world.invoke("end")

    assert world.task("both").blocked_by == ["bad", "worse"]
    assert world.task("one").blocked_by == ["bad"]
