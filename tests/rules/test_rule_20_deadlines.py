"""Rule 20: deadlines of cron tasks, and crons that led to no run (docs/rules.md, rule 20)."""

from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import ValidationError

from cerebro.core.cron.ticks import missed_ticks
from cerebro.core.incidents.notices import CompletionNotice, DeadlineTimer
from cerebro.core.internal_messages import Tick
from cordyna_core.contract.commands import RunTask
from cordyna_core.contract.due import due_at
from cordyna_core.contract.ids import CEREBRO
from world.declarations import declared
from world.incidents import events, incident_events, the_incident
from world.scenarios import ReactionWorld, a_world


def at(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


SIX = at("2026-03-02T06:00")
DAY = 86_400.0


def with_due(due: str = "1h", tasks: str = "u  a<-u", **more: Any) -> ReactionWorld:
    cron = {"cron": "0 6 * * *", "due": due, "owner": "team-a", "run_timeout_s": 40_000, **more}
    world = a_world(tasks, every={"owner": "team-u", "run_timeout_s": 40_000}, a=cron)
    world.now = SIX
    return world


def tick(world: ReactionWorld, nominal: float = SIX) -> str:
    before = len(world.commands)
    world.handle(Tick("a", nominal))
    commands = world.commands[before:]
    return commands[0].run_id if commands else ""


def complete(world: ReactionWorld, run_id: str, *tasks: str, after: float = 0.0) -> None:
    for task in tasks:
        world.report(task, "started", run_id=run_id)
        world.after(after)
        world.report(task, "completed", run_id=run_id)


@pytest.mark.parametrize(
    ("due", "timezone", "nominal", "expected"),
    [
        ("2h", "UTC", "2026-03-02T06:00", "2026-03-02T08:00"),
        ("1h30m", "UTC", "2026-03-02T06:00", "2026-03-02T07:30"),
        ("07:00", "UTC", "2026-03-02T06:00", "2026-03-02T07:00"),
        ("05:00", "UTC", "2026-03-02T06:00", "2026-03-03T05:00"),
        ("06:00", "UTC", "2026-03-02T06:00", "2026-03-03T06:00"),
        ("07:00", "Europe/Berlin", "2026-03-02T05:00", "2026-03-02T06:00"),
        # The night in which clocks go forward, and the one in which they go back.
        ("07:00", "Europe/Berlin", "2026-03-29T00:30", "2026-03-29T05:00"),
        ("07:00", "Europe/Berlin", "2026-10-25T00:30", "2026-10-25T06:00"),
        # A time that clocks show twice in that night.
        ("02:30", "Europe/Berlin", "2026-10-25T00:15", "2026-10-25T00:30"),
        ("02:30", "Europe/Berlin", "2026-10-25T00:30", "2026-10-25T01:30"),
        ("02:30", "Europe/Berlin", "2026-10-25T01:30", "2026-10-26T01:30"),
    ],
)
def test_due_follows_its_tick(due: str, timezone: str, nominal: str, expected: str) -> None:
    assert due_at(due, timezone, at(nominal)) == at(expected)


@pytest.mark.parametrize("due", ["", "7:00", "25:00", "07:60", "2", "0h", "32d", "soon", "-1h"])
def test_wrong_due_is_refused(due: str) -> None:
    with pytest.raises(ValidationError, match="is not a time to be completed by"):
        declared("s", "a", a={"cron": "0 6 * * *", "due": due})


def test_due_without_a_cron_is_refused() -> None:
    with pytest.raises(ValidationError, match="due needs cron"):
        declared("s", "a", a={"due": "2h"})


def test_run_completed_in_time_opens_nothing() -> None:
    world = with_due()
    run_id = tick(world)
    complete(world, run_id, "u", "a")
    assert events(world.after(2 * 3600)) == []
    (deadline,) = [world.store.read_deadline("a", SIX)]
    assert deadline is not None
    assert deadline.outcome == "met"


def test_late_run_opens_an_incident_of_its_owner() -> None:
    world = with_due()
    run_id = tick(world)
    world.report("u", "started", run_id=run_id)
    world.after(3601)
    (event,) = incident_events(world)
    assert (event.kind, event.task, event.owner, event.reason) == (
        "deadline",
        "a",
        "team-a",
        "late",
    )
    assert event.run_id == run_id
    assert event.next == f"dyna show {run_id}"


def test_deadline_names_critical_path_without_estimate_at_first() -> None:
    world = with_due()
    run_id = tick(world)
    world.report("u", "started", run_id=run_id)
    world.after(3601)
    error = incident_events(world)[0].error
    assert error is not None
    assert error.message == (
        "due 2026-03-02 07:00:00Z; waits for u (team-u) -> a (team-a); "
        "how long that takes is not known yet"
    )


def test_deadline_estimates_from_the_run_before() -> None:
    world = with_due()
    complete(world, tick(world), "u", "a", after=600)
    world.after(SIX + DAY - world.now)
    run_id = tick(world, SIX + DAY)
    world.report("u", "queued", run_id=run_id)
    world.after(550)
    world.report("u", "started", run_id=run_id)
    world.after(3600 - 550 + 1)
    error = incident_events(world)[-1].error
    assert error is not None
    # u has taken longer than usual already; a takes ten minutes.
    assert error.message.endswith("expected at 2026-03-03 07:10:00Z")


def test_deadline_names_the_failure_that_holds_it_up() -> None:
    world = with_due()
    run_id = tick(world)
    world.report("u", "error", run_id=run_id)
    world.after(3601)
    assert events(world) == ["opened failed u", "opened deadline a"]
    error = incident_events(world)[-1].error
    assert error is not None
    assert error.message.endswith("u failed, and holds up u (team-u) -> a (team-a)")


def test_failure_names_until_when_what_it_blocks_is_due() -> None:
    world = with_due()
    run_id = tick(world)
    world.report("u", "error", run_id=run_id)
    (blocked,) = incident_events(world)[0].blocked
    assert (blocked.task, blocked.due) == ("a", datetime(2026, 3, 2, 7, tzinfo=UTC))


def test_late_completion_closes_it() -> None:
    world = with_due()
    run_id = tick(world)
    world.report("u", "started", run_id=run_id)
    world.after(4000)
    world.report("u", "completed", run_id=run_id)
    world.report("a", "completed", run_id=run_id)
    assert events(world) == ["opened deadline a", "closed deadline a"]


def test_deadline_rings_although_the_run_never_came_to_be() -> None:
    world = with_due(tasks="a")
    tick(world)
    world.now = SIX + DAY
    assert tick(world, SIX + DAY) == "", "the run of the tick before is not over"
    world.after(3700)
    event = incident_events(world)[-1]
    assert (event.kind, event.run_id) == ("deadline", None)
    assert event.reason == "not_begun"
    assert event.next == "dyna do a"


def test_deadline_of_a_lost_invocation_rings() -> None:
    world = with_due(tasks="a")
    world.driver.crash(Tick("a", SIX), after=5)
    assert [m for m in world.published if isinstance(m, RunTask)] == []
    assert events(world.after(3700)) == ["opened deadline a"]


def test_tick_delivered_twice_rings_once() -> None:
    world = with_due()
    tick(world)
    tick(world)
    world.after(3700)
    assert events(world).count("opened deadline a") == 1
    assert the_incident(world, "deadline", "a").times == 1


def test_deadline_of_a_crashed_tick_that_comes_late_rings() -> None:
    """Its handler stored the deadline and crashed; as a dead letter it came back days later."""
    world = with_due()
    world.driver.crash_once(Tick("a", SIX), lambda: bool(world.store.open_deadlines()))
    world.after(2 * DAY)
    tick(world)
    world.after(1.0)
    assert world.store.open_deadlines() == []
    assert the_incident(world, "deadline", "a").reason == "not_begun"


def test_timer_delivered_twice_decides_once() -> None:
    world = with_due()
    run_id = tick(world)
    world.after(3700)
    complete(world, run_id, "u", "a")
    before = events(world)
    world.handle(DeadlineTimer("a", SIX, SIX + 3600))
    assert events(world) == before
    deadline = world.store.read_deadline("a", SIX)
    assert deadline is not None
    assert deadline.outcome == "missed", "what has completed since was late"


@pytest.mark.parametrize("effects", range(1, 10))
def test_of_two_timers_one_decides(effects: int) -> None:
    """1. A timer is paused. 2. The run completes. 3. It is delivered again. 4. It continues."""
    world = with_due()
    run_id = tick(world)
    world.now = SIX + 3601
    timer = DeadlineTimer("a", SIX, SIX + 3600)
    resume = world.driver.begin(timer, effects=effects)
    for task in ("u", "a"):
        world.report(task, "completed", run_id=run_id)
    world.handle(timer)
    resume(50)
    deadline = world.store.read_deadline("a", SIX)
    assert deadline is not None
    assert ("opened deadline a" in events(world)) == (deadline.outcome == "missed")


@pytest.mark.parametrize("effects", range(1, 8))
def test_deadline_is_decided_when_it_was_declared_to_be(effects: int) -> None:
    """1. The tick crashes. 2. A later deadline is declared. 3. The tick is delivered again."""
    world = with_due()
    world.driver.crash(Tick("a", SIX), after=effects)
    stored = world.store.read_deadline("a", SIX)
    cron = {"cron": "0 6 * * *", "due": "3h"}
    world.declare("s", "u  a<-u", revision=1, every={"run_timeout_s": 40_000}, a=cron)
    tick(world)
    (run,) = world.store.runs(2)
    world.report("u", "started", run_id=run.id)
    due = SIX + 3 * 3600 if stored is None else stored.due
    assert events(world.after(due - world.now - 10)) == []
    assert events(world.after(60)) == ["opened deadline a"]


@pytest.mark.parametrize("more", range(1, 4))
@pytest.mark.parametrize("effects", range(1, 14))
def test_crash_after_a_late_completion_leaves_no_mark(effects: int, more: int) -> None:
    """The timer marks the graph when a completion has closed the incident, and crashes.

    The run was watched before, because of another incident.
    """
    world = with_due(tasks="a", due="1m")
    run_id = tick(world)
    world.report("a", "started", run_id=run_id)
    world.now += 61
    timer = DeadlineTimer("a", SIX, SIX + 60)
    resume = world.driver.begin(timer, effects=effects)
    world.report("a", "completed", run_id=run_id)
    world.handle(CompletionNotice(run_id, 0, 1, SIX))
    resume(more)
    world.handle(timer)
    opened = {incident.mark for incident in world.store.incidents() if incident.is_open}
    assert world.store.read_graph().watched == opened


def test_early_timer_is_sent_again() -> None:
    world = with_due()
    run_id = tick(world)
    world.report("u", "started", run_id=run_id)
    world.handle(DeadlineTimer("a", SIX, SIX + 3600))
    assert events(world.after(3500)) == []
    assert events(world.after(200)) == ["opened deadline a"]


def test_timer_of_an_unknown_deadline_does_nothing() -> None:
    world = with_due()
    world.handle(DeadlineTimer("a", SIX, SIX - 10))
    assert events(world) == []


def test_deadline_of_a_removed_task_without_a_run_does_nothing() -> None:
    world = with_due(tasks="a")
    world.driver.crash(Tick("a", SIX), after=5)
    world.declare("s", "b", revision=1)
    assert events(world.after(3700)) == []


def test_task_without_due_arms_no_deadline() -> None:
    world = a_world("a", a={"cron": "0 6 * * *"})
    world.now = SIX
    tick(world)
    assert world.store.open_deadlines() == []


# --- crons that led to no run ---------------------------------------------------------------------
def test_missed_tick_opens_an_incident() -> None:
    world = with_due(tasks="a")
    world.now += 301
    tick(world)
    (event,) = incident_events(world)
    assert (event.kind, event.task, event.owner, event.reason) == (
        "missed_cron",
        "a",
        "team-a",
        "missed_tick",
    )
    assert event.next == "dyna do a"


def test_missed_cron_closes_by_the_next_completion() -> None:
    world = with_due(tasks="a")
    world.now += 301
    tick(world)
    run_id = world.invoke("a")
    world.now += 1
    world.report("a", "completed", run_id=run_id)
    assert events(world) == ["opened missed_cron a"], "dispatched at the moment of its opening"
    run_id = world.invoke("a")
    world.report("a", "completed", run_id=run_id)
    assert events(world) == ["opened missed_cron a", "closed missed_cron a"]


def test_ticks_missed_while_no_engine_ran_are_one_incident() -> None:
    world = with_due(tasks="a")
    world.publish(missed_ticks("a", [SIX, SIX + DAY], now=world.now), CEREBRO)
    assert events(world) == ["opened missed_cron a"]


def test_refused_invocation_of_a_tick_opens_an_incident() -> None:
    world = with_due(tasks="a<-gone")
    tick(world)
    assert world.problems == ["unresolved_upstream"]
    (event,) = incident_events(world)
    assert (event.kind, event.reason) == ("missed_cron", "unresolved_upstream")


def test_skipped_tick_is_no_missed_cron() -> None:
    world = with_due(tasks="a")
    tick(world)
    world.now += DAY
    tick(world, SIX + DAY)
    assert world.problems == ["overlap_skipped"]
    assert not any("missed_cron" in line for line in events(world))
