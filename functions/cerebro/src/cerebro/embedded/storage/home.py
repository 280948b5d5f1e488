"""Home: the folder of an embedded engine, its database and its lock; or the same in memory.

Invariant: at most one process drives a home, and only its owner can read what is in it.
"""

import sys
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Final, Protocol

from cerebro.adapters.memory import MemoryStore
from cerebro.adapters.sqlite.database import SqliteFile
from cerebro.adapters.sqlite.pruning import Pruner, PruneStep
from cerebro.adapters.sqlite.store import SqliteStore
from cerebro.embedded.alerts.outbox import (
    AlertOutbox,
    MemoryAlertOutbox,
    SqliteAlertOutbox,
)
from cerebro.embedded.storage.driver_record import DriverLock, DriverRecord
from cerebro.embedded.storage.event_log import EventLog, MemoryEventLog
from cerebro.embedded.storage.home_location import (
    BODIES_LOCK,
    DRIVER_LOCK,
    create_home_folder,
)
from cerebro.embedded.storage.paused_crons import (
    FilePausedCrons,
    MemoryPausedCrons,
    PausedCrons,
)
from cerebro.embedded.storage.sqlite_event_log import SqliteEventLog
from cerebro.embedded.storage.targets import MemoryTargets, SqliteTargets, TargetTable
from cerebro.ports import Store
from cordyna_core.errors import ServiceError
from cordyna_core.ports import Clock

DATABASE: Final = "cordyna.db"


class HomeStore(Store, Protocol):
    """A store whose queries for the embedded engine do not depend on the size of a run."""

    def has_live_task(self, run_id: str) -> bool: ...
    def forget_page_timers(self, run_id: str | None = None) -> None: ...
    def forget_after(self, at: float) -> None:
        """Forget what is recorded of times later than `at`, where only the latest counts.

        These are results for reuse, ticks, and when servers were seen. Runs keep their times: it
        may be this clock that is wrong, and an earlier end would have them pruned too soon.
        """
        ...


class Home(Protocol):
    """What outlives a step: facts and the event log, kept in the same transactions."""

    store: HomeStore
    event_log: EventLog
    targets: TargetTable
    paused_crons: PausedCrons
    alerts: AlertOutbox

    def transaction(self) -> AbstractContextManager[None]: ...
    def reading(self) -> AbstractContextManager[None]: ...
    def take_lock(self) -> bool:
        """Drive the home from now on, unless another process does."""
        ...

    def unlock(self) -> None:
        """Drive no longer, and leave the record of the driver as it was."""
        ...

    def has_no_driver(self) -> bool: ...
    def driver(self) -> DriverRecord | None:
        """Return the process that drives the home, or was killed while it did."""
        ...

    def record_driver(self, record: DriverRecord) -> None: ...

    @property
    def predecessor_died(self) -> bool:
        """Whether the last driver was killed. Known once this process drives."""
        ...

    @property
    def is_shared(self) -> bool:
        """Whether other processes may put events into the inbox."""
        ...

    @property
    def bodies_lock(self) -> Path | None:
        """The file that the host of the bodies locks while bodies may be alive."""
        ...

    def prune_step(self, ended_before: float) -> PruneStep:
        """Delete some runs that ended before then (UTC seconds)."""
        ...

    def prune_run(self, run_id: str) -> bool: ...
    def give_back_step(self) -> bool:
        """Return some free space to the file system. Returns whether more is free."""
        ...

    def require_in_place(self) -> None:
        """Raises ServiceError if the home was deleted or replaced after it was opened."""
        ...

    def close(self) -> None: ...


class MemoryHome:
    """A home that ends with its process."""

    predecessor_died: Final = False
    is_shared: Final = False
    bodies_lock: Final = None

    def __init__(self, clock: Clock = time.time) -> None:
        self._clock = clock
        self._memory, self._log = MemoryStore(), MemoryEventLog()
        self.store: HomeStore = self._memory
        self.event_log: EventLog = self._log
        self.targets: TargetTable = MemoryTargets()
        self.paused_crons: PausedCrons = MemoryPausedCrons()
        self.alerts: AlertOutbox = MemoryAlertOutbox()
        self._seen_ended_at: dict[str, float] = {}
        self._driver: DriverRecord | None = None

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Events are rolled back; facts are not: repeating a program on them is harmless."""
        seq = self._log.last_seq()
        try:
            yield
        except BaseException:
            self._log.roll_back(seq)
            raise

    @contextmanager
    def reading(self) -> Iterator[None]:
        yield

    def take_lock(self) -> bool:
        return True

    def unlock(self) -> None:
        """Nothing to do."""

    def has_no_driver(self) -> bool:
        return True

    def driver(self) -> DriverRecord | None:
        return self._driver

    def record_driver(self, record: DriverRecord) -> None:
        self._driver = record

    def prune_step(self, ended_before: float) -> PruneStep:
        """Delete what ended before then. The end of a run is dated when it is first seen here."""
        now = self._clock()
        ended = [run.id for run in self.store.runs(sys.maxsize) if run.is_over]
        self._seen_ended_at = {run_id: self._seen_ended_at.get(run_id, now) for run_id in ended}
        old = frozenset(run for run, at in self._seen_ended_at.items() if at < ended_before)
        self._memory.prune_runs(old)
        self._log.prune(old, ended_before)
        return PruneStep(len(old), is_done=True)

    def prune_run(self, run_id: str) -> bool:
        existed = self.store.read_run(run_id) is not None
        self._memory.prune_runs([run_id])
        self._log.prune(frozenset([run_id]), 0.0)
        return existed

    def give_back_step(self) -> bool:
        return False

    def require_in_place(self) -> None:
        """It is where it was."""

    def close(self) -> None:
        """Nothing to close."""


class DiskHome:
    """A folder with one database and one lock. Raises ServiceError if it cannot be used."""

    is_shared: Final = True

    def __init__(self, folder: Path, clock: Clock = time.time) -> None:
        create_home_folder(folder)
        self.folder = folder
        self._file = SqliteFile(folder / DATABASE, clock)
        self._file_number = _file_number(folder / DATABASE)
        self._pruner = Pruner(self._file)
        self.store: HomeStore = SqliteStore(self._file)
        self.event_log: EventLog = SqliteEventLog(self._file)
        self.targets: TargetTable = SqliteTargets(self._file)
        self.paused_crons: PausedCrons = FilePausedCrons(folder)
        self.alerts: AlertOutbox = SqliteAlertOutbox(self._file)
        self.transaction, self.reading = self._file.transaction, self._file.reading
        self._lock = DriverLock(folder / DRIVER_LOCK)

    @property
    def predecessor_died(self) -> bool:
        return self._lock.predecessor is not None

    @property
    def bodies_lock(self) -> Path:
        return self.folder / BODIES_LOCK

    def take_lock(self) -> bool:
        return self._lock.take()

    def unlock(self) -> None:
        self._lock.unlock()

    def has_no_driver(self) -> bool:
        return self._lock.is_free()

    def driver(self) -> DriverRecord | None:
        return self._lock.status()

    def record_driver(self, record: DriverRecord) -> None:
        self._lock.record(record)

    def prune_step(self, ended_before: float) -> PruneStep:
        step = self._pruner.prune_step(ended_before)
        if step.runs:
            self.store.forget_page_timers()
        return step

    def prune_run(self, run_id: str) -> bool:
        return self._pruner.prune_run(run_id)

    def give_back_step(self) -> bool:
        return self._pruner.give_back_step()

    def require_in_place(self) -> None:
        # SQLite does not notice, and what it writes from then on is read by no other process.
        if _file_number(self.folder / DATABASE) != self._file_number:
            raise ServiceError(
                f"the home {self.folder} was deleted or replaced while this process used it.",
                next="run the same command again: it opens the home that is there now",
            )

    def close(self) -> None:
        """Release the lock and close the file."""
        self._file.close()
        self._lock.release()


def _file_number(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


def open_home(folder: Path | None) -> Home:
    """Return the home in a folder, or one in memory without a folder. Raises ServiceError."""
    return MemoryHome() if folder is None else DiskHome(folder)
