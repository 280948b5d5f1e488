"""Tasks that run by themselves, on the loop of the embedded engine, in virtual time."""

from datetime import UTC, datetime

from cordyna_core.contract.commands import InvokeTask
from cordyna_core.contract.state_updates import InvocationRejected
from mission.stage import NOON, Stage

EVERY_MINUTE = {"cron": "* * * * *"}


def with_cron(**more: object) -> Stage:
    """x runs every minute from now on."""
    stage = Stage("a: x", x={**EVERY_MINUTE, **more})
    stage.loop.start_crons()
    return stage


def fired(stage: Stage) -> list[str]:
    """The nominal times at which something was invoked."""
    commands = [envelope.message for envelope in stage.said(InvokeTask)]
    return [
        f"{each.scheduled_at:%H:%M}"
        for each in commands
        if isinstance(each, InvokeTask) and each.scheduled_at
    ]


def refused(stage: Stage) -> list[str]:
    messages = [envelope.message for envelope in stage.said(InvocationRejected)]
    return [
        problem.code
        for each in messages
        if isinstance(each, InvocationRejected)
        for problem in each.problems
    ]


def test_a_cron_fires_at_its_nominal_times_and_only_there() -> None:
    stage = with_cron()
    began = datetime.fromtimestamp(NOON, UTC)
    assert (began.minute, began.second) == (0, 0)

    stage.after(59.9)
    assert fired(stage) == []

    stage.after(120.2)
    assert fired(stage) == ["08:01", "08:02", "08:03"]
    assert [command.task for command in stage.commands] == ["x", "x", "x"]


def test_nothing_fires_while_nobody_fires_crons() -> None:
    stage = Stage("a: x", x=EVERY_MINUTE)

    assert fired(stage.after(600)) == []


def test_while_the_run_of_the_tick_before_goes_on_a_tick_is_skipped_and_that_is_said() -> None:
    stage = with_cron()
    stage.silent.add("x")
    stage.after(61)
    run = stage.commands[0].run_id
    stage.say(run, "x", "started")

    stage.after(120)
    assert (fired(stage), refused(stage)) == (["08:01"], ["overlap_skipped", "overlap_skipped"])

    stage.say(run, "x", "completed")
    assert fired(stage.after(60)) == ["08:01", "08:04"]


def test_a_task_that_allows_overlap_runs_beside_itself() -> None:
    stage = with_cron(overlap="allow")
    stage.silent.add("x")
    stage.after(61)
    stage.say(stage.commands[0].run_id, "x", "started")

    assert fired(stage.after(60)) == ["08:01", "08:02"]


def test_after_a_sleep_the_last_tick_is_made_up_for_and_the_others_are_told_as_missed() -> None:
    stage = with_cron()
    stage.after(61)
    # The machine sleeps for ten minutes: another engine opens the home, and fires from then on.
    stage.now += 600
    stage.loop.fires_crons = False
    stage.loop.apply(stage.home.store.read_graph())

    stage.loop.start_crons()
    stage.settle()

    assert fired(stage) == ["08:01", "08:11"]
    (missed,) = [envelope.message for envelope in stage.said(InvocationRejected)]
    assert isinstance(missed, InvocationRejected)
    assert missed.problems[0].code == "missed_tick"
    assert missed.problems[0].message.startswith("9 tick(s) of 'x' from 2027-01-15T08:02:00")


def test_a_cron_that_is_not_declared_any_more_does_not_fire_any_more() -> None:
    stage = with_cron()
    stage.after(61)

    stage.declare("a: x")

    assert fired(stage.after(600)) == ["08:01"]
