"""A home: where it is, who may read it, who drives it, and what damage and foreign locks do."""

import multiprocessing
import os
import sqlite3
import stat
import threading
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from cerebro.adapters.sqlite import database
from cerebro.adapters.sqlite.database import HomeLocked, connect
from cerebro.embedded.embedded_engine import EmbeddedEngine
from cerebro.embedded.storage.driver_record import DriverLock, DriverRecord
from cerebro.embedded.storage.home import DATABASE, DiskHome
from cerebro.embedded.storage.home_location import find_home
from cordyna_cli.engine import Invoked
from cordyna_core import TaskServer
from cordyna_core.contract.commands import CancelRun, InvokeTask, RetryRun
from cordyna_core.errors import ServiceError

PROCESS = multiprocessing.get_context("fork")
RECORD = DriverRecord(pid=4711, since=1.5, servers=("shop",), command="dyna dev")


def shop(body: Callable[[], int] = lambda: 1) -> TaskServer:
    server = TaskServer("shop")
    server.task(name="a")(body)
    return server


def completed(engine: EmbeddedEngine, task: str = "a") -> str:
    invoked = engine.invoke(InvokeTask(task=task))
    assert isinstance(invoked, Invoked), invoked
    *_, view = engine.follow(invoked.run_id)
    assert view.state == "completed"
    return invoked.run_id


# --- where it is ------------------------------------------------------------------------------
def test_home_is_found_upwards(tmp_path: Path) -> None:
    (tmp_path / ".cordyna").mkdir()
    (tmp_path / "a" / "b").mkdir(parents=True)

    assert find_home(tmp_path / "a" / "b") == tmp_path / ".cordyna"


def test_home_is_not_beside_a_file_whose_tools_are_no_table(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text("tool = 3\n")

    assert find_home(tmp_path / "a") == tmp_path / "a" / ".cordyna"


def test_home_is_beside_the_project_file(tmp_path: Path) -> None:
    (tmp_path / ".cordyna").mkdir()
    inner = tmp_path / "a" / "b"
    inner.mkdir(parents=True)
    (tmp_path / "a" / "pyproject.toml").write_text("[tool.cordyna]\nservers = []\n")

    assert find_home(inner) == tmp_path / "a" / ".cordyna"


@pytest.mark.parametrize("text", ["[tool.other]\n", "this is no TOML", b"\xff\xff"])
def test_home_without_project_is_in_the_folder(tmp_path: Path, text: str | bytes) -> None:
    inner = tmp_path / "a"
    inner.mkdir()
    data = text if isinstance(text, bytes) else text.encode()
    (tmp_path / "pyproject.toml").write_bytes(data)

    assert find_home(inner) == inner / ".cordyna"


def test_home_of_another_user_is_not_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".cordyna").mkdir()
    inner = tmp_path / "a"
    inner.mkdir()
    monkeypatch.setattr(os, "getuid", lambda: 12345)

    assert find_home(inner) == inner / ".cordyna"


# --- who may read it --------------------------------------------------------------------------
def test_home_is_readable_by_its_owner_only(tmp_path: Path) -> None:
    with EmbeddedEngine(DiskHome(tmp_path / "home"), [shop()]) as engine:
        completed(engine)
        modes = {
            path.name: stat.S_IMODE(path.stat().st_mode)
            for path in (tmp_path / "home", *(tmp_path / "home").iterdir())
        }

    assert modes.pop("home") == 0o700
    assert {DATABASE, f"{DATABASE}-wal", "driver.lock"} <= modes.keys()
    assert set(modes.values()) == {0o600}
    assert (tmp_path / "home" / ".gitignore").read_text() == "*\n"


def test_database_that_was_readable_is_made_private(tmp_path: Path) -> None:
    DiskHome(tmp_path).close()
    (tmp_path / DATABASE).chmod(0o644)

    DiskHome(tmp_path).close()

    assert stat.S_IMODE((tmp_path / DATABASE).stat().st_mode) == 0o600


# --- who drives it ----------------------------------------------------------------------------
def test_driver_is_shown_while_it_runs_and_not_afterwards(tmp_path: Path) -> None:
    with (
        EmbeddedEngine(DiskHome(tmp_path), [shop()]) as driver,
        EmbeddedEngine(DiskHome(tmp_path), []) as reader,
    ):
        assert reader.driver() is None
        completed(driver)
        record = reader.driver()
        assert record is not None
        assert (record.pid, record.servers, record.state) == (os.getpid(), ("shop",), "running")
        assert record.since == pytest.approx(time.time(), abs=60)

    with EmbeddedEngine(DiskHome(tmp_path), []) as reader:
        assert reader.driver() is None


def test_driver_that_was_killed_is_shown_as_killed(tmp_path: Path) -> None:
    lock = DriverLock(tmp_path / "driver.lock")
    assert lock.take()
    lock.record(RECORD)
    lock.unlock()  # As the operating system does for a killed process: the record stays.

    other = DriverLock(tmp_path / "driver.lock")
    status = other.status()
    assert status is not None
    assert (status.pid, status.state) == (4711, "killed")
    assert other.take()
    assert other.predecessor == RECORD
    other.release()
    assert DriverLock(tmp_path / "driver.lock").status() is None


@pytest.mark.parametrize("content", ["", "4711\n", '{"pid": 1}', "[]"])
def test_incomplete_driver_record_is_no_driver(tmp_path: Path, content: str) -> None:
    (tmp_path / "driver.lock").write_text(content)

    assert DriverLock(tmp_path / "driver.lock").status() is None


def test_lock_is_not_inherited_by_a_forked_child(tmp_path: Path) -> None:
    lock = DriverLock(tmp_path / "driver.lock")
    assert lock.take()
    reader, writer = os.pipe()
    is_up, says_up = os.pipe()
    if (child := os.fork()) == 0:
        os.close(writer)
        os.write(says_up, b"x")
        os.read(reader, 1)  # Until the parent has ended its part.
        os._exit(0)
    os.read(is_up, 1)  # It has done what a forked process does first.
    lock.unlock()

    other = DriverLock(tmp_path / "driver.lock")
    assert other.take(), "the child does not hold the lock"
    other.release()
    os.close(writer)
    os.waitpid(child, 0)
    for descriptor in (reader, is_up, says_up):
        os.close(descriptor)


def test_looking_for_the_driver_does_not_prevent_driving(tmp_path: Path) -> None:
    lock, other = DriverLock(tmp_path / "driver.lock"), DriverLock(tmp_path / "driver.lock")
    stop = threading.Event()

    def look() -> None:
        while not stop.is_set():
            other.is_free()

    thread = threading.Thread(target=look)
    thread.start()
    try:
        for _ in range(50):
            assert lock.take()
            lock.release()
    finally:
        stop.set()
        thread.join()


# --- commands without a driver ----------------------------------------------------------------
def test_cancel_without_driver_or_server_is_applied(tmp_path: Path) -> None:
    with EmbeddedEngine(DiskHome(tmp_path), [shop()]) as engine:
        engine._session.acquire_lease()
        invoked = engine.invoke(InvokeTask(task="a"))
        assert isinstance(invoked, Invoked)
        engine.close()
    _set_running(tmp_path, invoked.run_id)

    with EmbeddedEngine(DiskHome(tmp_path), []) as engine:
        assert engine.command(CancelRun(run_id=invoked.run_id)) is None
        view = engine.run(invoked.run_id)
        assert (view.state, view.cancelled, engine.drives) == ("error", True, False)


def test_retry_without_driver_waits_for_the_next_one(tmp_path: Path) -> None:
    works: list[int] = []

    def body() -> int:
        return 1 // len(works)

    with EmbeddedEngine(DiskHome(tmp_path), [shop(body)]) as engine:
        invoked = engine.invoke(InvokeTask(task="a"))
        assert isinstance(invoked, Invoked)
        for _ in engine.follow(invoked.run_id):
            pass
    works.append(1)

    with EmbeddedEngine(DiskHome(tmp_path), []) as engine:
        assert engine.command(RetryRun(run_id=invoked.run_id)) is None
        assert engine.run(invoked.run_id).state in ("running", "failing")

    with EmbeddedEngine(DiskHome(tmp_path), [shop(body)]) as engine:
        *_, view = engine.follow(invoked.run_id)
    assert (view.state, view.tasks[0].attempt) == ("completed", 2)


def test_refused_command_without_driver_is_refused(tmp_path: Path) -> None:
    with EmbeddedEngine(DiskHome(tmp_path), [shop()]) as engine:
        run_id = completed(engine)

    with EmbeddedEngine(DiskHome(tmp_path), []) as engine:
        refused = engine.command(CancelRun(run_id=run_id))

    assert refused is not None
    assert [problem.code for problem in refused.problems] == ["run_completed"]


def _set_running(folder: Path, run_id: str) -> None:
    """As if the driver had been killed before the run ended."""
    with closing(sqlite3.connect(folder / DATABASE)) as db, db:
        db.execute("delete from tasks where run_id = ?", (run_id,))
        db.execute(
            "update runs set status = 'running', ended_at = null,"
            ' run = replace(run, \'"status":"completed"\', \'"status":"running"\')'
            " where id = ?",
            (run_id,),
        )


# --- formats, damage, locks -------------------------------------------------------------------
def test_home_of_earlier_format_is_refused_with_next_step(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / DATABASE)) as db:
        db.execute("pragma user_version=1")

    with pytest.raises(ServiceError, match="format 1") as refused:
        DiskHome(tmp_path)

    assert f"mv {tmp_path} {tmp_path}.old" in refused.value.next


def test_folder_as_database_is_reported(tmp_path: Path) -> None:
    (tmp_path / DATABASE).mkdir()

    with pytest.raises(ServiceError, match="cannot be opened"):
        DiskHome(tmp_path)


def _open_at(path: Path, at: float) -> None:
    while time.time() < at:
        pass
    connect(path).close()


def test_new_home_may_be_opened_by_several_processes_at_once(tmp_path: Path) -> None:
    for n in range(8):
        path, at = tmp_path / f"{n}.db", time.time() + 0.05
        children = [PROCESS.Process(target=_open_at, args=(path, at)) for _ in range(4)]
        for child in children:
            child.start()
        for child in children:
            child.join()
        assert [child.exitcode for child in children] == [0] * 4


def test_foreign_lock_is_waited_for_without_losing_a_result(tmp_path: Path) -> None:
    ran: list[int] = []
    held, free = threading.Event(), threading.Event()

    def body() -> int:
        ran.append(1)
        held.wait(20)
        return 1

    with EmbeddedEngine(DiskHome(tmp_path), [shop(body)]) as engine:
        invoked = engine.invoke(InvokeTask(task="a"))
        assert isinstance(invoked, Invoked)
        with closing(sqlite3.connect(tmp_path / DATABASE, isolation_level=None)) as other:
            other.execute("begin immediate")
            held.set()
            free.wait(2.5)  # Longer than one attempt to get the lock.
            other.execute("rollback")
        *_, view = engine.follow(invoked.run_id)

    assert view.state == "completed"
    assert ran == [1]


def test_lock_held_for_too_long_is_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "LOCK_WAIT_MAX_S", 0.0)
    home = DiskHome(tmp_path)
    with closing(sqlite3.connect(tmp_path / DATABASE, isolation_level=None)) as other:
        other.execute("begin immediate")
        with pytest.raises(HomeLocked, match="locked by another program"), home.transaction():
            pass
    home.close()


def test_driver_survives_a_lock_that_is_held_for_too_long(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    held, answer = threading.Event(), threading.Event()

    def body() -> int:
        held.set()
        answer.wait(20)
        return 1

    with EmbeddedEngine(DiskHome(tmp_path), [shop(body)]) as engine:
        invoked = engine.invoke(InvokeTask(task="a"))
        assert isinstance(invoked, Invoked)
        assert held.wait(20)
        monkeypatch.setattr(database, "LOCK_WAIT_MAX_S", 0.0)
        with closing(sqlite3.connect(tmp_path / DATABASE, isolation_level=None)) as other:
            other.execute("begin immediate")
            answer.set()
            threading.Event().wait(2.5)
            other.execute("rollback")
        monkeypatch.undo()
        *_, view = engine.follow(invoked.run_id)

    assert view.state == "completed"


def test_driver_that_cannot_start_reports_the_true_cause(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = EmbeddedEngine(DiskHome(tmp_path), [shop()])

    def broken(*_: object) -> None:
        raise ServiceError("no space left")

    with engine:
        engine.tasks()
        monkeypatch.setattr(engine._home, "record_driver", broken)
        with pytest.raises(ServiceError, match="no space left"):
            engine.invoke(InvokeTask(task="a"))
