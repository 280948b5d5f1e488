"""A home with damaged rows: each is named, and keeps nothing else from working."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from cerebro.embedded.embedded_engine import EmbeddedEngine
from cerebro.embedded.storage.home import DATABASE, DiskHome
from cerebro.ports import DamagedItem
from cordyna_core import TaskServer
from world.two_servers import finished


def good() -> TaskServer:
    server = TaskServer("s")
    server.task(name="good")(lambda: 3)
    return server


def run_of(engine: EmbeddedEngine) -> str:
    return finished(engine, "good").run_id


def test_damaged_run_is_named_and_does_not_stop_others(tmp_path: Path) -> None:
    with EmbeddedEngine(DiskHome(tmp_path), [good()]) as engine:
        run_id = run_of(engine)
    with closing(sqlite3.connect(tmp_path / DATABASE)) as db, db:
        db.execute("update runs set status = 'running', run = substr(run, 1, 40)")

    with EmbeddedEngine(DiskHome(tmp_path), [good()]) as engine:
        with pytest.raises(DamagedItem, match=f"row {run_id} of table runs") as damaged:
            engine.run(run_id)
        assert damaged.value.next == f"dyna prune --run {run_id}"
        assert run_of(engine) != run_id
        broken = [each for each in engine.operations.examine() if each.state == "broken"]
        assert [run_id in each.detail for each in broken] == [True]

        assert engine.operations.prune_run(run_id)
        assert [each for each in engine.operations.examine() if each.state == "broken"] == []


def test_damaged_incident_does_not_stop_the_engine(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    server = TaskServer("s")
    server.task(name="bad")(lambda: 1 // 0)
    server.task(name="good")(lambda: 3)
    with EmbeddedEngine(DiskHome(tmp_path), [server]) as engine:
        finished(engine, "bad")
        (incident,) = engine.incidents()
    with closing(sqlite3.connect(tmp_path / DATABASE)) as db, db:
        db.execute("update incidents set incident = 'junk'")

    with EmbeddedEngine(DiskHome(tmp_path), [server]) as engine:
        assert finished(engine, "good").state == "completed"
        assert engine.incidents() == []
    assert f"left out of a list: row {incident.incident} of table incidents" in caplog.text


def test_damaged_fact_is_named(tmp_path: Path) -> None:
    with EmbeddedEngine(DiskHome(tmp_path), [good()]) as engine:
        run_id = run_of(engine)
    with closing(sqlite3.connect(tmp_path / DATABASE)) as db, db:
        db.execute("update tasks set fact = '[1, 2'")
        db.execute("delete from plans")

    with (
        EmbeddedEngine(DiskHome(tmp_path), []) as engine,
        pytest.raises(DamagedItem, match="table plans"),
    ):
        engine.run(run_id)
    home = DiskHome(tmp_path)
    with pytest.raises(DamagedItem, match="table tasks"):
        home.store.read_task(run_id, 0)
    home.close()
