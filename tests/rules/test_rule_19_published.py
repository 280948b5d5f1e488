"""Rule 19: what is opened, changed or closed is published, whatever crashes (docs/rules.md)."""

from typing import Any

import pytest

from cerebro.core.cron.ticks import missed_ticks
from cerebro.core.incidents.notices import CompletionNotice
from cordyna_core.contract.ids import CEREBRO
from cordyna_core.contract.incidents import IncidentMessage
from cordyna_core.contract.state_updates import RunStateChanged
from world.incidents import events, incident_events, the_incident
from world.scenarios import ReactionWorld, a_run, a_world


def held(world: ReactionWorld) -> list[Any]:
    assert world.driver.held is not None
    return world.driver.held


def silent_server() -> ReactionWorld:
    """A failed run whose server did not acknowledge, which no handler has recorded yet."""
    world = a_run("a  b<-a")
    world.driver.held = []
    world.after(12)
    assert isinstance(held(world)[-1].message, RunStateChanged)
    return world


def crash_when_written(world: ReactionWorld, message: Any) -> None:
    """Crash right after the incident was written: nothing of it is published or marked."""
    world.driver.crash_once(message, lambda: bool(world.store.incidents()))
    assert events(world) == []


def test_opening_is_published_if_its_failure_changed() -> None:
    world = silent_server()
    failing = held(world)[-1]
    crash_when_written(world, failing)
    world.report("a", "error")
    world.handle(failing)
    assert "opened unresponsive s" in events(world)
    assert "unresponsive:s" in world.store.read_graph().watched


def test_opening_is_published_if_its_failure_healed() -> None:
    world = silent_server()
    failing = held(world)[-1]
    crash_when_written(world, failing)
    world.report("a", "completed")
    world.handle(failing)
    assert events(world) == ["opened unresponsive s", "closed unresponsive s"]
    assert world.store.read_graph().watched == frozenset()


def test_opening_is_published_by_another_input() -> None:
    world = silent_server()
    first, *others = held(world)
    crash_when_written(world, first)
    world.handle(others[-1])
    assert events(world) == ["opened unresponsive s"]
    assert the_incident(world, "unresponsive", "s").unpublished is None


def test_opening_is_published_before_the_closing() -> None:
    world = a_run("a  b<-a", a="started")
    world.driver.held = []
    world.report("a", "error")
    crash_when_written(world, held(world)[0])
    again = world.invoke("a")
    world.driver.held = None
    world.report("a", "error", run_id=again)
    assert events(world) == ["opened failed a"]
    world.now += 1
    world.retry(run_id=again)
    world.report("a", "completed", run_id=again, attempt=2)
    assert events(world) == ["opened failed a", "closed failed a"]


def test_closing_by_another_input_publishes_the_opening() -> None:
    world = a_run("a  b<-a", a="started")
    world.driver.held = []
    world.report("a", "error")
    crash_when_written(world, held(world)[0])
    world.handle(CompletionNotice(world.run_id, 0, 2, world.now + 1))
    assert events(world) == ["opened failed a", "closed failed a"]


def notice_of_a_completion() -> tuple[ReactionWorld, Any]:
    """A failure that was retried and has completed; the notice that closes its incident."""
    world = a_run("a  b<-a", a="error")
    world.now += 1
    world.retry()
    notices: list[Any] = []
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(world.driver, "send_incident_notice", notices.append)
        world.report("a", "completed", attempt=2)
    (notice,) = notices
    return world, notice


@pytest.mark.parametrize("effects", range(1, 16))
def test_crash_of_a_closing_still_publishes_it(effects: int) -> None:
    world, notice = notice_of_a_completion()
    world.driver.crash(notice, after=effects)
    world.handle(notice)
    assert events(world) == ["opened failed a", "closed failed a"]
    assert the_incident(world, "failed", "a").unpublished is None
    assert world.store.read_graph().watched == frozenset()


def test_closing_is_published_by_the_next_opening() -> None:
    world, notice = notice_of_a_completion()
    world.driver.crash_once(notice, lambda: not the_incident(world, "failed", "a").is_open)
    assert events(world) == ["opened failed a"]
    world.report("a", "error", run_id=world.invoke("a"))
    assert events(world) == ["opened failed a", "closed failed a", "opened failed a"]


@pytest.mark.parametrize("effects", range(1, 16))
def test_missed_tick_is_published_if_its_task_is_gone(effects: int) -> None:
    world = a_world("a", a={"cron": "0 6 * * *"})
    missed = missed_ticks("a", [world.now - 600], now=world.now)
    envelope = world.envelope(missed, CEREBRO)
    world.driver.crash(envelope, after=effects)
    was_written = bool(world.store.incidents())
    world.declare("s", "b")
    world.handle(envelope)
    assert events(world) == (["opened missed_cron a"] if was_written else [])


def test_change_is_armed_if_its_failure_was_retried() -> None:
    world = a_run("a  b<-a", a="error").after(700)
    world.driver.held = []
    again = world.invoke("a")
    world.report("a", "error", run_id=again)
    failing = held(world)[0]
    world.driver.crash_once(failing, lambda: the_incident(world, "failed", "a").is_dirty)
    world.now += 1
    world.retry(run_id=again)
    world.driver.incident_timers.clear()
    world.handle(failing)
    world.after(1801)
    assert events(world)[-1] == "changed failed a"


@pytest.mark.parametrize("effects", range(1, 30))
def test_crash_of_a_timer_still_publishes_a_change(effects: int) -> None:
    world = a_run("a  b<-a", a="error")
    world.report("a", "error", run_id=world.invoke("a"))
    world.after(700)
    due, _, timer = world.driver.incident_timers[0]
    world.driver.incident_timers.clear()
    world.now = due
    world.driver.crash(timer, after=effects)
    world.handle(timer)
    assert events(world) == ["opened failed a", "changed failed a"]
    assert the_incident(world, "failed", "a").unpublished is None


def test_two_failures_of_a_run_have_two_notices(monkeypatch: pytest.MonkeyPatch) -> None:
    world = a_world("a  b  c  d<-a,b,c")
    world.invoke("d")
    notices: list[Any] = []
    monkeypatch.setattr(world.driver, "send_incident_notice", notices.append)
    for task in "abc":
        world.report(task, "error")
    first, second = notices
    assert first.id != second.id


def test_event_of_an_incident_is_not_repeated_without_a_crash() -> None:
    world = a_run("a  b<-a", a="error").after(10)
    sent = [one for one in world.published if isinstance(one, IncidentMessage)]
    assert len(sent) == len(incident_events(world)) == 1
