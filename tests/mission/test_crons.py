"""Crons, fired by the loop of the embedded engine in virtual time (docs/rules.md, rule 15)."""

from datetime import UTC, datetime

from cordyna_core.contract.commands import InvokeTask
from cordyna_core.contract.state_updates import InvocationRejected
from world.scenarios import EngineWorld, an_engine
from world.world import NOON

EVERY_MINUTE = {"cron": "* * * * *"}


def with_cron(**more: object) -> EngineWorld:
    """Task x is due every minute from now on."""
    world = an_engine("a: x", x={**EVERY_MINUTE, **more})
    world.driver.loop.start_crons()
    return world


def fired(world: EngineWorld) -> list[str]:
    """The nominal times of all invocations."""
    commands = [envelope.message for envelope in world.driver.events_of(InvokeTask)]
    return [
        f"{command.scheduled_at:%H:%M}"
        for command in commands
        if isinstance(command, InvokeTask) and command.scheduled_at
    ]


def test_cron_fires_at_its_nominal_times_only() -> None:
    world = with_cron()
    began = datetime.fromtimestamp(NOON, UTC)
    assert (began.minute, began.second) == (0, 0)

    world.after(59.9)
    assert fired(world) == []

    world.after(120.2)
    assert fired(world) == ["08:01", "08:02", "08:03"]
    assert [command.task for command in world.commands] == ["x", "x", "x"]


def test_crons_not_started_do_not_fire() -> None:
    world = an_engine("a: x", x=EVERY_MINUTE)

    assert fired(world.after(600)) == []


def test_tick_during_previous_run_is_skipped_and_reported() -> None:
    world = with_cron()
    world.driver.silent.add("x")
    world.after(61)
    world.run_id = world.commands[0].run_id
    world.report("x", "started")

    world.after(120)
    assert (fired(world), world.problems) == (["08:01"], ["overlap_skipped", "overlap_skipped"])

    world.report("x", "completed")
    assert fired(world.after(60)) == ["08:01", "08:04"]


def test_cron_with_overlap_allowed_runs_beside_itself() -> None:
    world = with_cron(overlap="allow")
    world.driver.silent.add("x")
    world.after(61)
    world.run_id = world.commands[0].run_id
    world.report("x", "started")

    assert fired(world.after(60)) == ["08:01", "08:02"]


def test_crons_after_sleep_fire_last_tick_and_report_rest() -> None:
    world = with_cron()
    world.after(61)
    # The machine sleeps for ten minutes; then another engine opens the home and fires crons.
    world.now += 600
    world.driver.restart()
    world.driver.loop.start_crons()
    world.driver.settle()

    assert fired(world) == ["08:01", "08:11"]
    (missed,) = [envelope.message for envelope in world.driver.events_of(InvocationRejected)]
    assert isinstance(missed, InvocationRejected)
    assert missed.problems[0].code == "missed_tick"
    assert missed.problems[0].message.startswith(
        "9 ticks of 'x' from 2027-01-15 08:02Z to 2027-01-15 08:10Z were missed"
    )


def test_cron_no_longer_declared_does_not_fire() -> None:
    world = with_cron()
    world.after(61)

    world.driver.declare("a: x")

    assert fired(world.after(600)) == ["08:01"]
