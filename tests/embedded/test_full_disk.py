"""A disk that is full, or nearly: what it is called, and pruning that fits into what is free."""

import errno
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from cerebro.adapters.sqlite import database, pruning
from cerebro.adapters.sqlite.database import DiskFull, SqliteFile, connect, disk_full, unusable
from cerebro.adapters.sqlite.pruning import Pruner
from cerebro.embedded.embedded_engine import EmbeddedEngine
from cerebro.embedded.storage.home import DATABASE, DiskHome
from cordyna_cli.engine import Invoked
from cordyna_core import TaskServer
from cordyna_core.contract.commands import InvokeTask
from cordyna_core.errors import ServiceError

RUNS = 12


class NearlyFull(SqliteFile):
    """A database on a disk that has room for a log of `room` changed rows."""

    def __init__(self, path: Path, room: int) -> None:
        super().__init__(path)
        self.room = room

    @contextmanager
    def transaction(self) -> Iterator[None]:
        with super().transaction():
            before = self.db.total_changes
            yield
            if self.db.total_changes - before > self.room:
                raise disk_full(self.path)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    server = TaskServer("s")
    server.task(name="t")(lambda: "x" * 5000)
    with EmbeddedEngine(DiskHome(tmp_path), [server]) as engine:
        for number in range(RUNS):
            invoked = engine.invoke(InvokeTask(task="t", key=str(number)))
            assert isinstance(invoked, Invoked)
            for _ in engine.follow(invoked.run_id):
                pass
    return tmp_path / DATABASE


def prune_all(pruner: Pruner) -> int:
    deleted, is_done = 0, False
    while not is_done:
        step = pruner.prune_step(time.time() + 60)
        deleted, is_done = deleted + step.runs, step.is_done
    while pruner.give_back_step():
        pass
    return deleted


def test_prune_with_little_space_deletes_less_at_a_time(home: Path) -> None:
    size = home.stat().st_size
    with closing(NearlyFull(home, room=40)) as file:
        assert prune_all(Pruner(file)) == RUNS
        assert file.db.execute("select count(*) from events where run_id > ''").fetchone() == (0,)
    assert home.stat().st_size < size


def test_prune_of_a_low_disk_begins_with_small_steps(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A step that does not fit would fill what is left."""
    monkeypatch.setattr(pruning, "free_bytes", lambda path: 1_000_000)
    with closing(SqliteFile(home)) as file:
        pruner = Pruner(file)

        assert pruner.prune_step(time.time() + 60).runs == 1
        assert prune_all(pruner) == RUNS - 1
    assert not home.with_name(f"{DATABASE}-wal").exists()


def test_prune_without_any_space_says_how_much_to_free(home: Path) -> None:
    with (
        closing(NearlyFull(home, room=0)) as file,
        pytest.raises(DiskFull, match=r"free 1 MB on it \(df -h .*\), then `dyna prune"),
    ):
        prune_all(Pruner(file))


def test_prune_continues_when_the_log_cannot_be_emptied(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(pruner: Pruner) -> None:
        raise DiskFull("the disk is full.")

    monkeypatch.setattr(Pruner, "truncate_wal", refuse)
    with closing(NearlyFull(home, room=40)) as file:
        assert prune_all(Pruner(file)) == RUNS


@pytest.mark.parametrize(
    ("code", "free", "kind"),
    [
        (sqlite3.SQLITE_FULL, 10**9, DiskFull),
        (sqlite3.SQLITE_IOERR_SHMSIZE, 0, DiskFull),
        (sqlite3.SQLITE_CANTOPEN, 0, DiskFull),
        (sqlite3.SQLITE_IOERR_SHMSIZE, 10**9, ServiceError),
        (sqlite3.SQLITE_CORRUPT, 0, ServiceError),
    ],
)
def test_error_of_sqlite_is_a_full_disk_if_it_is(
    code: int, free: int, kind: type, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "free_bytes", lambda path: free)
    cause = sqlite3.OperationalError("database or disk is full")
    cause.sqlite_errorcode = code

    assert type(unusable(tmp_path / DATABASE, cause)) is kind


def test_disk_that_cannot_be_asked_is_not_full(tmp_path: Path) -> None:
    assert database.free_bytes(tmp_path / "gone" / DATABASE) > 10**15


def test_new_home_on_a_full_disk_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path, *_: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", str(path))

    monkeypatch.setattr(database, "_create_private", refuse)
    with pytest.raises(DiskFull, match="the disk of"):
        connect(tmp_path / DATABASE)
