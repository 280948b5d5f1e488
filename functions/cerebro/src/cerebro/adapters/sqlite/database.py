"""Database: the SQLite file of a home, its transactions, and its errors.

Invariant: everything done between `transaction()` and its end is kept whole or not at all. The file
uses WAL with synchronous=NORMAL: a killed process loses nothing that was committed; a power cut may
lose the last moments, never the file.
"""

import errno
import fcntl
import os
import shutil
import sqlite3
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, TypeVar

from cerebro.adapters.codecs import CAUSE_CHARS_MAX, DECODING_ERRORS
from cerebro.adapters.sqlite.schema import ADDITIONS, FORMAT, SCHEMA
from cerebro.ports import DamagedItem
from cordyna_core.errors import ServiceError
from cordyna_core.ports import Clock

BUSY_TIMEOUT_S: Final = 1.0
"""One attempt to get the write lock lasts this long."""

LOCK_WAIT_MAX_S: Final = 30.0
"""A write lock of another program is waited for this long."""

FREE_BYTES_MIN: Final = 128 * 1024
"""With less, SQLite cannot even map its index of the log, and calls that an I/O error."""

_BUSY_CODES: Final = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})


T = TypeVar("T")


class HomeLocked(ServiceError):
    """Another program holds the write lock of the database."""


class DiskFull(ServiceError):
    """The disk of the database has no space for what has to be written."""


def damaged_row(
    path: Path, table: str, key: object, cause: Exception, run_id: str = ""
) -> DamagedItem:
    """Return the error for a row that cannot be decoded; it names the row and how to remove it."""
    return DamagedItem(
        f"row {key} of table {table} in {path} is damaged.",
        why=f"{type(cause).__name__}: {str(cause)[:CAUSE_CHARS_MAX]}",
        next=f"dyna prune --run {run_id}" if run_id else "restore the file from a backup",
    )


@contextmanager
def decoding(path: Path, table: str, key: object, run_id: str = "") -> Iterator[None]:
    """Decode a row inside. Raises DamagedItem if that is not possible."""
    try:
        yield
    except DECODING_ERRORS as cause:
        raise damaged_row(path, table, key, cause, run_id) from cause


def _locked(path: Path) -> HomeLocked:
    return HomeLocked(
        f"the database {path} is locked by another program.",
        why=f"it did not release its write lock within {LOCK_WAIT_MAX_S:g} s",
        next=f"end that program (fuser {path} lists it), then run the same command again",
    )


def unusable(path: Path, cause: sqlite3.Error) -> ServiceError:
    """Return the error for a database that does not work, or that this process has closed."""
    if isinstance(cause, sqlite3.ProgrammingError) and "closed database" in str(cause):
        return ServiceError(
            f"the database {path} has been closed by this process.",
            why="its client was closed, or its `with` block has ended.",
            next="use the client and its runs before that, or connect again",
        )
    if _is_busy(cause):
        return _locked(path)
    if _is_for_space(path, cause):
        return disk_full(path)
    return ServiceError(
        f"the database {path} cannot be used: {cause}.",
        why="it may be damaged, read-only, over a limit of its size, or not a database.",
        next="free space or fix its permissions; or set CORDYNA_HOME to another folder"
        " (past runs stay in the old one)",
    )


def _is_busy(cause: sqlite3.Error) -> bool:
    return getattr(cause, "sqlite_errorcode", 0) & 0xFF in _BUSY_CODES


def _when_unlocked(path: Path, action: Callable[[], T]) -> T:
    """Do it once no other program holds the lock. Raises HomeLocked after LOCK_WAIT_MAX_S."""
    give_up_at = time.monotonic() + LOCK_WAIT_MAX_S
    while True:
        try:
            return action()
        except sqlite3.OperationalError as busy:
            if not _is_busy(busy):
                raise
            if time.monotonic() >= give_up_at:
                raise _locked(path) from busy


def _is_for_space(path: Path, cause: sqlite3.Error) -> bool:
    code = getattr(cause, "sqlite_errorcode", 0) & 0xFF
    is_io = code in (sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN)
    return code == sqlite3.SQLITE_FULL or (is_io and free_bytes(path) < FREE_BYTES_MIN)


def free_bytes(path: Path) -> int:
    """Return the free space of the disk of a file; a lot, where it cannot be asked."""
    try:
        return shutil.disk_usage(path.parent).free
    except OSError:
        return sys.maxsize


def disk_full(path: Path) -> DiskFull:
    """Return the error for a disk without space, with what frees some."""
    log = path.with_name(f"{path.name}-wal")
    needed_mb = 1 + round((log.stat().st_size if log.exists() else 0) / 1e6)
    return DiskFull(
        f"the disk of {path.parent} is full.",
        why="what is changed is written to a log first, so deleting runs needs some space, too",
        next=f"free {needed_mb} MB on it (df -h {path.parent}), then `dyna prune --older-than 7d`"
        " deletes old runs",
    )


def connect(path: Path) -> sqlite3.Connection:
    """Open the file, and create its tables if it is new. Two processes may do so at once.

    Raises:
        HomeLocked: another program holds its lock for LOCK_WAIT_MAX_S.
        ServiceError: the file cannot be read or written, is not a database, or has another format.
    """
    try:
        _create_private(path)
        # The engine's lock guards the connection, so several threads may use it.
        connection = sqlite3.connect(
            path,
            timeout=BUSY_TIMEOUT_S,
            isolation_level=None,
            check_same_thread=False,
            cached_statements=256,
        )
        _when_unlocked(path, lambda: _prepare(connection, path))
    except sqlite3.Error as cause:
        raise unusable(path, cause) from cause
    except OSError as cause:
        if cause.errno == errno.ENOSPC:
            raise disk_full(path) from cause
        raise ServiceError(
            f"the database {path} cannot be opened: {cause.strerror}.",
            next="fix its permissions, or set CORDYNA_HOME to another folder",
        ) from cause
    return connection


def _prepare(connection: sqlite3.Connection, path: Path) -> None:
    if _format_of(connection, path) == 0:
        with _exclusive(path.with_name("create.lock")):
            _create_tables(connection, path)
    connection.execute("pragma synchronous=normal")
    _create_additions(connection)


def _create_private(path: Path) -> None:
    """Create the file with mode 0600 before SQLite would; SQLite's other files copy its mode."""
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    if path.stat().st_mode & 0o077:
        path.chmod(0o600)


def _format_of(connection: sqlite3.Connection, path: Path) -> int:
    number: int = connection.execute("pragma user_version").fetchone()[0]
    if number not in (0, FORMAT):
        raise ServiceError(
            f"{path} has format {number}, and this version of cordyna reads format {FORMAT} only.",
            why="it was written by another version; before 0.1.0, formats are not converted",
            next=f"mv {path.parent} {path.parent}.old, or run that other version",
        )
    return number


@contextmanager
def _exclusive(lock_path: Path) -> Iterator[None]:
    """Hold a lock of the operating system. It is released if the process dies."""
    descriptor = os.open(lock_path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _create_tables(connection: sqlite3.Connection, path: Path) -> None:
    if _format_of(connection, path) == FORMAT:
        return  # Another process created them meanwhile.
    # Must be set before the first table exists; `incremental` returns space without a rewrite.
    connection.execute("pragma auto_vacuum=incremental")
    connection.execute("pragma journal_mode=wal")
    connection.executescript(f"begin immediate; {SCHEMA} pragma user_version={FORMAT}; commit;")


def _create_additions(connection: sqlite3.Connection) -> None:
    """Create tables that the file lacks, because an older version made it."""
    known = {name for (name,) in connection.execute("select name from sqlite_schema")}
    for name, statement in ADDITIONS.items():
        if name not in known:
            connection.execute(statement)


class SqliteFile:
    """An open database. The caller serializes access. `clock` dates what the store stores."""

    def __init__(self, path: Path, clock: Clock = time.time) -> None:
        self.path, self.clock = path, clock
        self.db = connect(path)
        self._on_roll_back: list[Callable[[], None]] = []
        self._on_other_write: list[Callable[[], None]] = []
        self._data_version = 0

    def on_roll_back(self, forget: Callable[[], None]) -> None:
        """Call `forget` whenever a transaction may not have been kept."""
        self._on_roll_back.append(forget)

    def on_other_write(self, forget: Callable[[], None]) -> None:
        """Call `forget` when rows were written past the store: by pruning, or another process.

        What another process wrote is noticed when a transaction begins; it cannot write until that
        ends.
        """
        self._on_other_write.append(forget)

    def note_other_write(self) -> None:
        """Note that rows were written past the store."""
        for forget in self._on_other_write:
            forget()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Keep all that is done inside, or nothing.

        Raises:
            HomeLocked: another program holds the write lock for LOCK_WAIT_MAX_S.
            ServiceError: the disk is full, or the file cannot be written.
        """
        with self.reading():
            self._begin()
            try:
                self._note_other_processes()
                yield
                self.db.execute("commit")
            except BaseException:
                if self.db.in_transaction:
                    self.db.execute("rollback")
                for forget in self._on_roll_back:
                    forget()
                raise

    def _begin(self) -> None:
        _when_unlocked(self.path, lambda: self.db.execute("begin immediate"))

    def _note_other_processes(self) -> None:
        (version,) = self.db.execute("pragma data_version").fetchone()
        if version != self._data_version:
            self._data_version = version
            self.note_other_write()

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Translate errors of SQLite. Raises ServiceError if the file cannot be read."""
        try:
            yield
        except sqlite3.Error as cause:
            raise unusable(self.path, cause) from cause

    def close(self) -> None:
        """Close the file."""
        self.db.close()
