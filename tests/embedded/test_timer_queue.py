"""The timers of an engine: in their order, and none of runs that have ended for long."""

import pytest

from cerebro.core.incidents.notices import IncidentTimer
from cerebro.core.internal_messages import PageTimer
from cerebro.embedded.embedded_engine import EmbeddedEngine
from cerebro.embedded.runtime.timer_queue import TimerQueue
from cerebro.embedded.storage.home import MemoryHome
from cerebro.testing.examples import a_run, invoked
from cordyna_cli.engine import Invoked
from cordyna_core import TaskServer
from cordyna_core.contract.commands import InvokeTask
from cordyna_core.contract.state_updates import RunStateChanged
from cordyna_core.errors import ServiceError


def test_timers_leave_in_the_order_in_which_they_are_due() -> None:
    queue = TimerQueue(MemoryHome())
    for due in (3.0, 1.0, 2.0):
        queue.push(PageTimer("R", 0, due))

    assert queue.next_due() == 1.0
    assert [queue.pop_due(2.0), queue.pop_due(2.0), queue.pop_due(2.0)] == [
        PageTimer("R", 0, 1.0),
        PageTimer("R", 0, 2.0),
        None,
    ]
    queue.shift(10.0)
    assert queue.pop_due(13.0) == PageTimer("R", 0, 13.0)
    assert queue.next_due() is None


def test_timer_of_an_incident_is_kept_when_the_clock_was_set() -> None:
    queue = TimerQueue(MemoryHome())
    queue.push(IncidentTimer("i", 15.0))
    queue.push(PageTimer("R", 0, 2.0))
    queue.shift(10.0)

    assert [queue.pop_due(20.0), queue.next_due()] == [PageTimer("R", 0, 12.0), 15.0]
    assert queue.pop_due(20.0) == IncidentTimer("i", 15.0)


def test_timers_of_ended_runs_are_dropped() -> None:
    queue = TimerQueue(MemoryHome())
    for number in range(1000):
        queue.push(PageTimer(f"R{number}", 0, 1800.0))
        queue.run_ended(f"R{number}")
    queue.push(PageTimer("live", 0, 1800.0))

    assert len(queue) < 200


def test_timer_of_a_run_that_is_open_again_stays() -> None:
    queue = TimerQueue(MemoryHome())
    queue.run_ended("R")
    queue.push(PageTimer("R", 0, 1800.0))
    for number in range(200):
        queue.run_ended(f"R{number}")

    assert queue.pop_due(1800.0) == PageTimer("R", 0, 1800.0)


def test_timers_of_a_run_that_was_opened_after_its_end_stay() -> None:
    """Its end is noted only now, and it has been healed meanwhile."""
    home = MemoryHome()
    queue, run = TimerQueue(home), invoked(home.store, a_run())
    queue.push(PageTimer(run.id, 0, 1800.0))
    home.store.write_page_timer(run.id, 0, 1800.0, 1700.0)
    queue.note_state(RunStateChanged(run_id=run.id, task="team.task-2", state="error"))
    for number in range(200):
        queue.run_ended(f"R{number}")

    assert home.store.has_page_timer(run.id, 0, 1700.0, 1900.0)
    assert queue.pop_due(1800.0) == PageTimer(run.id, 0, 1800.0)


def test_timers_stay_where_the_run_cannot_be_read(monkeypatch: pytest.MonkeyPatch) -> None:
    home = MemoryHome()
    queue = TimerQueue(home)
    queue.push(PageTimer("0" * 26, 0, 1.0))

    def fail(run_id: str) -> None:
        raise ServiceError("the disk is gone.")

    monkeypatch.setattr(home.store, "read_run", fail)
    queue.note_state(RunStateChanged(run_id="0" * 26, task="a", state="completed"))

    assert queue.pop_due(1.0) is not None


def test_engine_keeps_no_timers_of_many_ended_runs() -> None:
    server = TaskServer("s")
    server.task(name="a")(lambda: 1)
    with EmbeddedEngine(MemoryHome(), [server]) as engine:
        for _ in range(150):
            invoked = engine.invoke(InvokeTask(task="a"))
            assert isinstance(invoked, Invoked)
            for _ in engine.follow(invoked.run_id):
                pass
        driver = engine._session.driver
        assert driver is not None
        # Those of attempts' acknowledgement, too, which are due within seconds.
        assert len(driver.loop._timers) < 350
