"""Home: the folder of an embedded engine, and who drives it.

Law: at most one process drives a home. The operating system holds the lock, so it is free the moment its holder dies.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Final

from cerebro.adapters.memory import MemoryStore
from cerebro.adapters.sqlite.database import SqliteFile
from cerebro.adapters.sqlite.store import SqliteStore
from cerebro.embedded.storage.event_log import EventLog, MemoryEventLog, SqliteEventLog
from cerebro.ports import Store
from cordyna_core.errors import ServiceError

DEFAULT_HOME: Final = ".cordyna"
DATABASE: Final = "cordyna.db"


class MemoryHome:
    """Nothing lasts, and nobody else is there."""

    def __init__(self) -> None:
        self.store: Store = MemoryStore()
        self.event_log: EventLog = MemoryEventLog()
        self.predecessor_died = False

    @contextmanager
    def transaction(self) -> Iterator[None]:
        yield

    reading = transaction

    def take_lock(self) -> bool:
        """Nobody else can reach it."""
        return True

    def has_no_driver(self) -> bool:
        """Nobody else can reach it."""
        return True

    def driver_id(self) -> str:
        """Nobody else can reach it."""
        return ""

    def forget_runs(self, before: float) -> None:
        """It is gone soon enough."""

    def close(self) -> None:
        """Nothing to close."""


class DiskHome:
    """A folder with one database and one lock. Raises ServiceError when it cannot be used."""

    def __init__(self, folder: Path) -> None:
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as refused:
            raise ServiceError(
                f"the folder {folder} cannot be made: {refused.strerror}.",
                next="set CORDYNA_HOME to a folder that you may write to.",
            ) from refused
        self._folder = folder
        self._file = SqliteFile(folder / DATABASE)
        self.store: Store = SqliteStore(self._file)
        self.event_log: EventLog = SqliteEventLog(self._file)
        self.transaction, self.reading = self._file.transaction, self._file.reading
        self._lock: IO[str] | None = None
        self.predecessor_died = False

    def forget_runs(self, before: float) -> None:
        """Delete what ended and is older than `before` (UTC seconds)."""
        self._file.forget_runs(before)

    def take_lock(self) -> bool:
        """Whether this process drives the home from now on."""
        if self._lock is None:
            lock = (self._folder / "driver.lock").open("a")
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                lock.close()
                return False
            self.predecessor_died = bool(self.driver_id())
            lock.truncate(0)
            lock.write(f"{os.getpid()}\n")
            lock.flush()
            self._lock = lock
        return True

    def has_no_driver(self) -> bool:
        """Whether no process drives the home at this moment."""
        if self._lock is not None or not self.take_lock():
            return False
        self._let_go()
        return True

    def driver_id(self) -> str:
        """The id of the process that drives the home, or drove it last."""
        return (self._folder / "driver.lock").read_text().strip()

    def close(self) -> None:
        """Let go of the lock and the file."""
        self._file.close()
        self._let_go()

    def _let_go(self) -> None:
        if self._lock is not None:
            # Empty: whoever comes next sees that this process was not killed.
            self._lock.truncate(0)
            self._lock.close()
            self._lock = None
