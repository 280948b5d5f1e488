"""Worker host: starting the process under which all task servers and their bodies run.

Invariant: nothing of the engine is imported here, because a command starts the host before that.
"""

import os
import time
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cordyna_core.errors import ServiceError
from cordyna_core.ports import Clock
from cordyna_core.worker.pool.pool import WorkerPool
from cordyna_core.worker.settings import Settings
from cordyna_core.worker.spec import ServerSpec

SHORT_BODY_S: Final = 0.02
"""What a body may take of which only the end is handled: that halves its messages."""


@dataclass(slots=True)
class StartedServers:
    """A pool whose servers are loading. Closing it twice is harmless."""

    pool: WorkerPool
    targets: frozenset[str]
    is_taken: bool = False

    def take(self) -> WorkerPool | None:
        """Return the pool, for the first that asks."""
        if self.is_taken:
            return None
        self.is_taken = True
        return self.pool

    def give_back(self) -> None:
        """End them, if none has asked for the pool: another process drives the home.

        Its host waits until this one, which has the lock of the bodies, has ended.
        """
        if self.take() is not None:
            self.close()

    def close(self) -> None:
        """End the host and all that it started."""
        self.pool.close()


def start_servers(specs: Iterable[ServerSpec], lock_path: Path | None) -> StartedServers:
    """Start a host that loads these servers. Raises ServiceError."""
    pool = start_pool(lock_path)
    started = tuple(specs)
    pool.start(started)
    return StartedServers(pool, frozenset(spec.target for spec in started))


def start_pool(lock_path: Path | None, now: Clock = time.time) -> WorkerPool:
    """Start a host; it holds `lock_path` while bodies may be alive. Raises ServiceError."""
    # The token identifies the processes of this engine, even after a host was lost.
    token = f"{os.getpid()}-{uuid.uuid4().hex}"
    if lock_path is not None:
        _require_lock(lock_path)
    try:
        return WorkerPool(
            token=token, lock_path=str(lock_path or ""), settings=_settings(lock_path), now=now
        )
    except OSError as cause:
        raise ServiceError(
            f"the worker host could not be started: {cause}.",
            why="task bodies run in processes of their own",
            next="check the limits of processes and open files (ulimit -a), then try again",
        ) from cause


def _settings(lock_path: Path | None) -> Settings:
    # Without a file, the start of a lone body is handled in time that the engine would only wait;
    # with one, it would cost a transaction more.
    return Settings(short_body_s=SHORT_BODY_S, reports_lone_start=lock_path is None)


def _require_lock(path: Path) -> None:
    """Raises ServiceError: no host could open the lock, so that each one would end at once."""
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    except OSError as cause:
        raise ServiceError(
            f"the lock {path} cannot be opened: {cause.strerror}.",
            why="the process under which task bodies run holds it",
            next="fix the permissions of that file, or set CORDYNA_HOME to another folder",
        ) from cause
