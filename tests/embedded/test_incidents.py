"""Incidents of a home: recorded with the run's end, kept over restarts, and no message's trap."""

import json
from dataclasses import replace
from itertools import count
from pathlib import Path

import pytest

from cerebro.core.incidents.record import SETTLE_S
from cerebro.embedded.embedded_engine import EmbeddedEngine
from cerebro.embedded.runtime import incident_queue
from cerebro.embedded.runtime.failed_items import TRIES_MAX
from cerebro.embedded.runtime.incident_resume import note_declared, resume_incidents
from cerebro.embedded.runtime.message_loop import MessageLoop
from cerebro.embedded.storage.home import DiskHome, open_home
from cordyna_core.contract.base import Problem
from cordyna_core.contract.commands import InvokeTask
from cordyna_core.contract.incidents import SnoozeIncident, incident_id
from cordyna_core.contract.state_updates import DeclarationRejected
from cordyna_core.contract.time import utc
from cordyna_core.errors import ServiceError
from cordyna_core.server.task_server import TaskServer
from world.incidents import events
from world.scenarios import an_engine

A = incident_id("failed", "a")


def a_server() -> TaskServer:
    server = TaskServer("sales", owner="team-sales")

    @server.task
    def a() -> None:
        raise ValueError("no such day")

    return server


def failed_once(folder: Path) -> None:
    with EmbeddedEngine(open_home(folder), [a_server()]) as engine:
        engine.invoke(InvokeTask(task="a"))
        *_, last = engine.follow(engine.runs(1)[0].run_id)
        assert last.state == "error"
        assert [view.incident for view in engine.incidents()] == [A]


def rejected_at(folder: Path, now: float) -> str:
    """Let a process say that a server did not load; the kinds of what that publishes."""
    home = open_home(folder)
    try:
        before = home.event_log.last_seq()
        times = count(int(now))
        loop = MessageLoop(home, lambda: float(next(times)), to_server=lambda command, event: None)
        problem = Problem(code="not_loaded", message="sales.py cannot be loaded")
        loop.publish_now([DeclarationRejected(server="sales", problems=[problem])])
        note_declared(loop, home, ["sales"])
        passed = home.event_log.events(None, before)
    finally:
        home.close()
    return " ".join(json.loads(event.text)["detail-type"] for event in passed)


def test_same_rejection_of_a_later_process_opens_it_again(tmp_path: Path) -> None:
    """1. A server does not load. 2. It loads. 3. On another day, it does not load again.

    Both are the first message of their process, and must not have the same id: an incident counts
    each failure once, even after it was closed.
    """
    expected = "DeclarationRejected IncidentOpened IncidentClosed"
    assert rejected_at(tmp_path / "home", 1_000_000.0) == expected
    assert rejected_at(tmp_path / "home", 1_090_000.0) == expected


def test_incident_is_there_when_the_end_is_seen(tmp_path: Path) -> None:
    failed_once(tmp_path / "home")


def test_incident_outlives_its_process_and_is_snoozed_alone(tmp_path: Path) -> None:
    failed_once(tmp_path / "home")
    home = open_home(tmp_path / "home")
    with EmbeddedEngine(home, declares=False) as engine:
        until = utc(engine.incidents()[0].opened_at.timestamp() + 7200)
        assert engine.command(SnoozeIncident(incident=A, until=until)) is None
        assert engine.incidents()[0].snoozed_until == until


def test_home_without_the_tables_of_incidents_gets_them(tmp_path: Path) -> None:
    home = DiskHome(tmp_path / "home")
    for table in ("incidents", "deadlines", "marks", "alerts", "alert_cursor"):
        home._file.db.execute(f"drop table {table}")
    home.close()
    failed_once(tmp_path / "home")


def test_closed_incident_is_pruned_and_an_open_one_stays(tmp_path: Path) -> None:
    home = DiskHome(tmp_path / "home")
    for name, closed_at in (("a", None), ("b", 5.0)):
        world = an_engine(f"s: {name}", fails=[name])
        world.invoke(name)
        (incident,) = world.store.incidents()
        with home.transaction():
            home.store.write_incident(replace(incident, closed_at=closed_at), None)
    while not home.prune_step(10.0).is_done:
        pass
    assert [one.task for one in home.store.incidents()] == ["a"]
    home.close()


def test_restart_arms_the_timers_of_open_incidents() -> None:
    world = an_engine("s: u  a<-u", fails=["a"])
    world.invoke("a")
    loop = world.driver._new_loop()
    resume_incidents(loop, world.driver.home)
    assert loop.next_due() == world.now + SETTLE_S


def test_failure_that_a_killed_engine_did_not_record_is_found(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = an_engine("s: a", fails=["a"])
    monkeypatch.setattr(world.driver.loop._incidents, "observe", lambda *_: None)
    world.invoke("a")
    world.after(10)
    assert events(world) == []
    monkeypatch.setattr(world.driver.home, "predecessor_died", True, raising=False)
    world.driver.loop = world.driver._new_loop()
    resume_incidents(world.driver.loop, world.driver.home)
    assert events(world) == ["opened failed a"]


def test_files_that_are_as_accepted_again_close_a_rejection() -> None:
    world = an_engine("s: a  b<-a")
    assert world.driver.declare("s: a<-b  b<-a")
    assert events(world) == ["opened rejected_declaration s"]
    world.driver.now += 1
    note_declared(world.driver.loop, world.driver.home, ["s"])
    assert events(world)[-1] == "closed rejected_declaration s"


def test_message_that_cannot_be_handled_is_a_dead_letter(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    calls: list[int] = []

    def fail(*_: object) -> None:
        calls.append(1)
        raise RuntimeError("boom")

    monkeypatch.setattr(incident_queue, "perform_one", fail)
    world = an_engine("s: a", fails=["a"])
    world.invoke("a")
    ((_, reason), *_) = world.driver.home.event_log.dead_letters()
    assert reason == "no incident was recorded: RuntimeError: boom"
    assert len(calls) >= TRIES_MAX
    assert world.after(10).run().state == "error", "the run is not held up"


def test_home_that_fails_keeps_the_message(monkeypatch: pytest.MonkeyPatch) -> None:
    world = an_engine("s: a", fails=["a"])

    def fail(*_: object) -> None:
        raise ServiceError("the disk is full.", next="free some space")

    with monkeypatch.context() as context:
        context.setattr(incident_queue, "perform_one", fail)
        with pytest.raises(ServiceError):
            world.invoke("a")
    world.driver.settle()
    world.driver.loop.flush()
    assert events(world) == ["opened failed a"]
