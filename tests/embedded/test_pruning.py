"""Retention: what ended long ago is deleted with all that belongs to it, and the space returned."""

import json
import sqlite3
import time
from contextlib import closing
from pathlib import Path

import pytest

from cerebro.adapters.sqlite.database import HomeLocked
from cerebro.embedded.embedded_engine import EmbeddedEngine
from cerebro.embedded.runtime import housekeeping
from cerebro.embedded.runtime.housekeeping import RETENTION_S
from cerebro.embedded.storage.event_log import LogChunk
from cerebro.embedded.storage.home import DATABASE, DiskHome
from cordyna_cli.engine import Invoked
from cordyna_core import TaskServer, fresh
from cordyna_core.contract.commands import InvokeTask
from cordyna_core.errors import NotFound, UserError
from world.command_line import until

DAY = 24 * 3600.0

TABLES = (
    "runs",
    "tasks",
    "outputs",
    "plans",
    "lasts",
    "logs",
    "waited_for",
    "declarations",
)


class Calendar:
    """A wall clock that a test sets forward."""

    def __init__(self) -> None:
        self.offset = 0.0

    def __call__(self) -> float:
        return time.time() + self.offset


@pytest.fixture
def calendar() -> Calendar:
    return Calendar()


def server(revision: int = 0) -> TaskServer:
    """Its declaration depends on the revision, as one whose default changes every day."""
    server = TaskServer("s")

    @server.task
    def daily(day: int = revision) -> str:
        print("hello", day)  # noqa: T201  for its log
        return "x" * 2000

    server.task(name="page", upstream=[fresh("daily", within="90d")])(lambda: None)
    server.task(name="bad")(lambda: 1 // 0)
    return server


def engine_on(folder: Path, calendar: Calendar, revision: int = 0) -> EmbeddedEngine:
    return EmbeddedEngine(DiskHome(folder, calendar), [server(revision)], clock=calendar)


def ended(engine: EmbeddedEngine, task: str, key: str | None = None) -> str:
    invoked = engine.invoke(InvokeTask(task=task, key=key))
    assert isinstance(invoked, Invoked), invoked
    for _ in engine.follow(invoked.run_id):
        pass
    return invoked.run_id


def counts(folder: Path) -> dict[str, int]:
    with closing(sqlite3.connect(folder / DATABASE)) as db:
        return {
            table: db.execute(f"select count(*) from {table}").fetchone()[0] for table in TABLES
        }


def test_everything_of_a_pruned_run_is_deleted(tmp_path: Path, calendar: Calendar) -> None:
    for revision in range(3):
        with engine_on(tmp_path, calendar, revision) as engine:
            ended(engine, "page", key=f"k{revision}")
            ended(engine, "bad")
        calendar.offset += DAY
    assert min(counts(tmp_path).values()) >= 0
    assert counts(tmp_path)["runs"] == 6

    calendar.offset += RETENTION_S + DAY
    home = DiskHome(tmp_path, calendar)
    with home.transaction():
        printed_at_import = LogChunk("", "s.py", 0, 0.0, "stdout", "hello")
        home.event_log.append_log_chunks([printed_at_import])
    while not home.prune_step(calendar() - RETENTION_S).is_done:
        pass
    home.close()

    left = counts(tmp_path)
    assert left.pop("declarations") == 1, "that of the graph"
    assert set(left.values()) == {0}
    with closing(sqlite3.connect(tmp_path / DATABASE)) as db:
        assert db.execute("select count(*) from events").fetchone() == (0,)


def test_run_is_pruned_by_its_end_not_its_start(tmp_path: Path, calendar: Calendar) -> None:
    with engine_on(tmp_path, calendar) as engine:
        run_id = ended(engine, "bad")
        with closing(sqlite3.connect(tmp_path / DATABASE)) as db, db:
            db.execute("update runs set created_at = created_at - ?", (2 * RETENTION_S,))
        home = engine._home

        assert home.prune_step(calendar() - RETENTION_S).runs == 0
        assert engine.run(run_id).state == "error"


def test_active_run_keeps_the_results_that_it_reuses(tmp_path: Path, calendar: Calendar) -> None:
    with engine_on(tmp_path, calendar) as engine:
        reused = ended(engine, "daily")
        user = ended(engine, "page")
    with closing(sqlite3.connect(tmp_path / DATABASE)) as db, db:
        db.execute("update runs set status = 'running', ended_at = null where id = ?", (user,))
    calendar.offset += 2 * RETENTION_S

    home = DiskHome(tmp_path, calendar)
    while not home.prune_step(calendar() - RETENTION_S).is_done:
        pass
    assert home.store.read_run(reused) is not None
    home.close()
    with closing(sqlite3.connect(tmp_path / DATABASE)) as db:
        stored = db.execute("select output from outputs where run_id = ?", (reused,)).fetchone()
    assert json.loads(stored[0]) == "x" * 2000


def test_space_of_pruned_runs_is_returned(tmp_path: Path, calendar: Calendar) -> None:
    home = DiskHome(tmp_path, calendar)
    with EmbeddedEngine(home, [server()], clock=calendar) as engine:
        run_id = ended(engine, "daily")
        with home.transaction():
            home.event_log.append_log_chunks(
                [LogChunk(run_id, "daily", 1, 0.0, "stdout", "x" * 1_000_000)] * 8
            )
        before = _size(tmp_path)

        assert engine.operations.prune(older_than_s=-1) == 1
        home._pruner.truncate_wal()
        assert _size(tmp_path) < before / 4


def _size(folder: Path) -> int:
    with closing(sqlite3.connect(folder / DATABASE)) as db:
        db.execute("pragma wal_checkpoint(truncate)")
    return (folder / DATABASE).stat().st_size


def test_driver_prunes_while_it_runs(
    tmp_path: Path, calendar: Calendar, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(housekeeping, "PRUNE_INTERVAL_S", 0.05)
    with engine_on(tmp_path, calendar) as engine:
        old = ended(engine, "daily")
        calendar.offset += RETENTION_S + DAY
        new = ended(engine, "bad")

        until(lambda: [run.run_id for run in engine.runs()] == [new])
        with pytest.raises(NotFound):
            engine.run(old)


def test_numbers_of_pruned_events_are_not_used_again(tmp_path: Path, calendar: Calendar) -> None:
    with engine_on(tmp_path, calendar) as engine:
        ended(engine, "daily")
        last = engine.events()[-1].seq
    calendar.offset += RETENTION_S + DAY
    home = DiskHome(tmp_path, calendar)
    while not home.prune_step(calendar() - RETENTION_S).is_done:
        pass
    assert home.event_log.events(None, 0) == []
    assert home.event_log.last_seq() >= last
    home.close()

    with engine_on(tmp_path, calendar) as engine:
        ended(engine, "daily")
        assert min(event.seq for event in engine.events()) > last


def test_prune_run_of_active_run_is_refused(tmp_path: Path, calendar: Calendar) -> None:
    with engine_on(tmp_path, calendar) as engine:
        run_id = ended(engine, "daily")
        with closing(sqlite3.connect(tmp_path / DATABASE)) as db, db:
            db.execute(
                "update runs set status = 'running',"
                ' run = replace(run, \'"status":"completed"\', \'"status":"running"\')'
            )
        with pytest.raises(UserError, match="is active"):
            engine.operations.prune_run(run_id)
        assert not engine.operations.prune_run("0" * 26)


def test_failing_housekeeping_is_logged_only(
    tmp_path: Path,
    calendar: Calendar,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError("a fault of ours")

    with engine_on(tmp_path, calendar) as engine:
        monkeypatch.setattr(engine._home, "prune_step", broken)
        ended(engine, "daily")
        until(lambda: "housekeeping failed" in caplog.text)
        ended(engine, "bad")


def test_dead_letters_are_purged(tmp_path: Path, calendar: Calendar) -> None:
    with engine_on(tmp_path, calendar) as engine:
        engine.send(["this is no event"])
        assert engine.operations.purge("dead-letters") == 1
        assert engine.operations.dead_letters() == []
        with pytest.raises(NotFound):
            engine.operations.purge("letters")


def free_pages(home: DiskHome, pages: int) -> None:
    """Leave so many pages free in the home's file, and a few more."""
    with home.transaction():
        for number in range(pages):
            home.event_log.add_dead_letter(f"{number} " + "x" * 4000, "for its size", 1.0)
    with home.transaction():
        home.event_log.drain_dead_letters()


def test_space_is_returned_many_pages_at_a_time(tmp_path: Path) -> None:
    with closing(DiskHome(tmp_path)) as home:
        free_pages(home, 300)

        assert home.give_back_step() is False

    with closing(sqlite3.connect(tmp_path / DATABASE)) as db:
        assert db.execute("pragma freelist_count").fetchone() == (0,)


def test_space_is_returned_when_a_foreign_lock_is_free(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cerebro.adapters.sqlite.database.LOCK_WAIT_MAX_S", 0.0)
    with closing(DiskHome(tmp_path)) as home, closing(sqlite3.connect(tmp_path / DATABASE)) as db:
        free_pages(home, 10)
        db.execute("begin immediate")
        with pytest.raises(HomeLocked):
            home.give_back_step()
        db.rollback()

        assert home.give_back_step() is False
