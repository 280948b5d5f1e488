"""Driver record: which process drives a home, since when, and which servers it runs.

Invariant: the operating system holds the lock, so it is free the moment its holder dies. The record
is empty after a regular stop, so a record without a lock means that the driver was killed.
"""

import contextlib
import fcntl
import json
import os
import sys
import time
import weakref
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final, Literal

from cordyna_core.errors import ServiceError

COMMAND_CHARS_MAX: Final = 200

_ATTEMPTS: Final = 4
_ATTEMPT_PAUSE_S: Final = 0.003
"""A process that only looks holds the lock for an instant; the lock is tried again after that."""


@dataclass(frozen=True, slots=True)
class DriverRecord:
    """The process that drives a home, or that drove it last."""

    pid: int
    since: float
    """UTC seconds."""
    servers: tuple[str, ...]
    command: str
    state: Literal["running", "killed"] = "running"


def record_of_this_process(servers: tuple[str, ...], since: float) -> DriverRecord:
    """Return the record of this process, which has driven since then (UTC seconds)."""
    command = " ".join([Path(sys.argv[0]).name, *sys.argv[1:]])[:COMMAND_CHARS_MAX]
    return DriverRecord(os.getpid(), since, servers, command)


class DriverLock:
    """The lock file of a home. Its descriptor is not inherited, neither by exec nor by fork."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor: int | None = None
        self.predecessor: DriverRecord | None = None
        _OPEN_LOCKS.add(self)

    @property
    def is_held(self) -> bool:
        """Whether this process holds the lock."""
        return self._descriptor is not None

    def take(self) -> bool:
        """Take the lock if no process holds it. Returns whether this process holds it.

        Raises ServiceError if its file cannot be written.
        """
        if self._descriptor is not None:
            return True
        try:
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as cause:
            raise _unusable(self._path, cause) from cause
        if not _lock(descriptor, fcntl.LOCK_EX):
            os.close(descriptor)
            return False
        self.predecessor = self._read()
        self._descriptor = descriptor
        return True

    def record(self, record: DriverRecord) -> None:
        """Write who drives. Only for the holder. Raises ServiceError."""
        assert self._descriptor is not None
        text = json.dumps({**asdict(record), "state": "running"}).encode() + b"\n"
        try:
            os.ftruncate(self._descriptor, 0)
            os.pwrite(self._descriptor, text, 0)
        except OSError as cause:
            raise _unusable(self._path, cause) from cause

    def unlock(self) -> None:
        """Release the lock and leave the record, for a holder that did not drive."""
        self._close()

    def release(self) -> None:
        """Release the lock; the empty record shows that this process was not killed."""
        if self._descriptor is not None:
            os.ftruncate(self._descriptor, 0)
            self._close()

    def status(self) -> DriverRecord | None:
        """Return the process that drives or was killed; None if there is no driver."""
        record = self._read()
        if record is None or self._descriptor is not None or not self.is_free():
            return record
        return DriverRecord(
            record.pid, record.since, record.servers, record.command, state="killed"
        )

    def is_free(self) -> bool:
        """Return whether no process drives. Changes nothing."""
        if self._descriptor is not None:
            return False
        try:
            descriptor = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return True
        except OSError as cause:
            raise _unusable(self._path, cause) from cause
        try:
            return _lock(descriptor, fcntl.LOCK_SH)
        finally:
            os.close(descriptor)

    def _read(self) -> DriverRecord | None:
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
            fields = json.loads(self._path.read_text(encoding="utf-8"))
            return DriverRecord(
                int(fields["pid"]),
                float(fields["since"]),
                tuple(map(str, fields["servers"])),
                str(fields["command"]),
            )
        return None  # There is no record, or its writer was killed before it was complete.

    def _close(self) -> None:
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)


def _unusable(path: Path, cause: OSError) -> ServiceError:
    return ServiceError(
        f"the lock of the home {path.parent} cannot be written: {cause.strerror}.",
        why="the home was deleted meanwhile" if isinstance(cause, FileNotFoundError) else "",
        next="run the same command again, with free space and permissions for that folder",
    )


def _lock(descriptor: int, kind: int) -> bool:
    for attempt in range(_ATTEMPTS):
        try:
            fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            if attempt + 1 < _ATTEMPTS:
                time.sleep(_ATTEMPT_PAUSE_S)
        else:
            return True
    return False


_OPEN_LOCKS: Final[weakref.WeakSet[DriverLock]] = weakref.WeakSet()


def _close_in_child() -> None:
    """A forked child that outlives this process must not keep its lock."""
    for lock in list(_OPEN_LOCKS):
        lock._close()  # noqa: SLF001 a function of this class's own module


os.register_at_fork(after_in_child=_close_in_child)
