"""A home that cannot be used: each error says why, and which folder to name instead."""

import errno
import os
import sqlite3
import threading
from contextlib import closing
from pathlib import Path

import pytest

from cerebro.adapters.sqlite import database
from cerebro.adapters.sqlite.database import HomeLocked
from cerebro.embedded.storage import home_location
from cerebro.embedded.storage.driver_record import DriverLock, record_of_this_process
from cerebro.embedded.storage.home import DATABASE, DiskHome, MemoryHome
from cerebro.embedded.storage.home_location import create_home_folder
from cordyna_core.errors import ServiceError

NEXT = "name a folder that you may write to: `dyna --home DIR ...`, or the variable CORDYNA_HOME"


def failing_with(number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path, **_: object) -> None:
        raise OSError(number, os.strerror(number), str(path))

    monkeypatch.setattr(Path, "touch", refuse)


@pytest.mark.parametrize(
    ("number", "why"),
    [
        (errno.EACCES, "this process runs as bob, who may not write there"),
        (errno.EROFS, "its file system is read-only"),
        (errno.ENOSPC, "its disk is full"),
        (errno.EIO, ""),
    ],
)
def test_home_that_refuses_a_file_says_why(
    number: int, why: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("getpass.getuser", lambda: "bob")
    failing_with(number, monkeypatch)
    with pytest.raises(ServiceError) as refused:
        create_home_folder(tmp_path)

    assert refused.value.what == f"the home {tmp_path} cannot be used: {os.strerror(number)}."
    assert (refused.value.why, refused.value.next) == (why, NEXT)


def test_home_refused_to_a_user_without_name_has_the_number(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unknown() -> str:
        raise KeyError("getpwuid(): uid not found: 4711")

    monkeypatch.setattr("getpass.getuser", unknown)
    failing_with(errno.EACCES, monkeypatch)
    with pytest.raises(ServiceError, match=f"runs as user {os.getuid()}, who"):
        create_home_folder(tmp_path)


def test_home_that_cannot_be_looked_at_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path) -> bool:
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    monkeypatch.setattr(Path, "exists", refuse)
    assert home_location._exists(Path("/a")) is True


def test_lock_in_a_deleted_home_says_so(tmp_path: Path) -> None:
    with pytest.raises(ServiceError, match="the home was deleted meanwhile"):
        DriverLock(tmp_path / "gone" / "driver.lock").take()


def test_lock_that_cannot_be_read_says_so(tmp_path: Path) -> None:
    lock = DriverLock(tmp_path / "file" / "driver.lock")
    (tmp_path / "file").touch()
    with pytest.raises(ServiceError, match="cannot be written: Not a directory"):
        lock.is_free()


def test_record_on_a_full_disk_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    lock = DriverLock(tmp_path / "driver.lock")
    assert lock.take()
    monkeypatch.setattr(os, "pwrite", refuse)
    with pytest.raises(ServiceError, match="No space left on device"):
        lock.record(record_of_this_process((), 0.0))
    lock.release()


def lock_of_another(path: Path) -> sqlite3.Connection:
    """A program that holds the write lock of a database that has no table yet."""
    other = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    other.execute("begin immediate")
    return other


def test_new_home_waits_for_the_lock_of_another_program(tmp_path: Path) -> None:
    other = lock_of_another(tmp_path / DATABASE)
    releasing = threading.Timer(1.5, other.rollback)  # Longer than one attempt.
    releasing.start()
    DiskHome(tmp_path).close()
    releasing.join()
    other.close()


def test_new_home_that_stays_locked_is_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "LOCK_WAIT_MAX_S", 0.0)
    with (
        closing(lock_of_another(tmp_path / DATABASE)),
        pytest.raises(HomeLocked, match="locked by another program"),
    ):
        DiskHome(tmp_path)


def test_home_is_in_place_until_it_is_deleted_or_replaced(tmp_path: Path) -> None:
    folder = tmp_path / "home"
    home = DiskHome(folder)
    home.require_in_place()
    folder.rename(tmp_path / "moved")
    with pytest.raises(ServiceError, match="was deleted or replaced"):
        home.require_in_place()
    DiskHome(folder).close()
    with pytest.raises(ServiceError, match="was deleted or replaced"):
        home.require_in_place()
    home.close()
    MemoryHome().require_in_place()
