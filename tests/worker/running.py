"""Running attempts on a real worker pool, event by event."""

import contextlib
import itertools
import os
import select
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final, TypeVar

from cordyna_core.contract.commands import CancelTask, RunTask
from cordyna_core.contract.time import utc
from cordyna_core.worker.pool.events import (
    AttemptEnded,
    Declared,
    Event,
    LoadFailed,
    OutputLines,
    StateUpdate,
)
from cordyna_core.worker.pool.pool import WorkerPool
from cordyna_core.worker.protocol import AttemptKey
from cordyna_core.worker.settings import Settings
from cordyna_core.worker.spec import ServerSpec

SERVERS: Final = Path(__file__).parent / "servers"
FAST: Final = Settings(kill_after_s=0.3, pipes_grace_s=0.1, queued_after_s=0.05)
DEADLINE_S: Final = 30.0

_tokens = itertools.count(1)
Kind = TypeVar("Kind")


class Session:
    """A pool, and everything that it has reported."""

    def __init__(self, pool: WorkerPool) -> None:
        self.pool = pool
        self.events: list[Event] = []
        self._runs = itertools.count(1)

    def wait(self, wanted: Callable[[Event], bool]) -> Event:
        """The first event from now on for which `wanted` is true."""
        deadline = time.monotonic() + DEADLINE_S
        while time.monotonic() < deadline:
            select.select([self.pool], [], [], self.pool.next_poll_s())
            received = self.pool.receive()
            self.events += received
            for position, event in enumerate(received):
                if wanted(event):
                    # What came with it is looked at again.
                    rest = received[position + 1 :]
                    self.pool._pending = [*rest, *self.pool._pending]
                    del self.events[len(self.events) - len(rest) :]
                    return event
        raise AssertionError(f"not within {DEADLINE_S:g} s; received: {self.events}")

    def wait_for(self, kind: type[Kind]) -> Kind:
        """The next event of a kind."""
        found = self.wait(lambda event: isinstance(event, kind))
        assert isinstance(found, kind)
        return found

    def load(self, *targets: str, **options: Any) -> Declared | LoadFailed:
        """Start servers, and wait for the last one's answer."""
        self.pool.start([ServerSpec(target, **options) for target in targets])
        for _ in targets:
            found = self.wait(lambda event: isinstance(event, Declared | LoadFailed))
        assert isinstance(found, Declared | LoadFailed)
        return found

    def command(
        self, task: str, *, server: str = "bodies", ack_s: float = 600, attempt: int = 1,
        run_id: str | None = None, **params: Any,
    ) -> RunTask:  # fmt: skip
        now = time.time()
        return RunTask(
            server=server,
            run_id=run_id or f"{next(self._runs):026d}",
            task=task,
            attempt=attempt,
            params=params,
            ack_by=utc(now + ack_s),
            start_by=utc(now + ack_s + 600),
        )

    def begin(self, task: str, *, timeout_s: float = 600, **options: Any) -> RunTask:
        """Give an attempt to the pool."""
        command = self.command(task, **options)
        self.pool.run(command, run_timeout_s=timeout_s)
        return command

    def end(self, command: RunTask) -> "Attempt":
        """Wait for the end of an attempt."""
        key = key_of(command)

        def is_end(event: Event) -> bool:
            return isinstance(event, AttemptEnded) and event.key == key

        if not any(map(is_end, self.events)):
            self.wait(is_end)
        return Attempt(self.events, key)

    def do(self, task: str, **options: Any) -> "Attempt":
        """Run an attempt to its end."""
        return self.end(self.begin(task, **options))

    def cancel(self, command: RunTask, grace_s: float) -> None:
        """Cancel an attempt."""
        cancel = CancelTask(
            server=command.server, run_id=command.run_id, task=command.task,
            attempt=command.attempt,
        )  # fmt: skip
        self.pool.cancel(cancel, grace_s=grace_s)


class Attempt:
    """What was reported about one attempt."""

    def __init__(self, events: list[Event], key: AttemptKey) -> None:
        mine = [event for event in events if getattr(event, "key", None) == key]
        self.messages = [event.message for event in mine if isinstance(event, StateUpdate)]
        self.states = [message.state for message in self.messages]
        self.finals = [_detail(e) for e in mine if isinstance(e, StateUpdate) and e.is_final]
        self.outcomes = [event.outcome for event in mine if isinstance(event, AttemptEnded)]
        self._output = [event for event in mine if isinstance(event, OutputLines)]

    @property
    def final(self) -> dict[str, Any]:
        assert len(self.finals) == 1, (self.finals, self.states, self.outcomes)
        return self.finals[0]

    @property
    def outcome(self) -> str:
        assert len(self.outcomes) == 1, self.outcomes
        return self.outcomes[0]

    def output(self, stream: str) -> str:
        """All that was written to a stream."""
        return "".join(event.text for event in self._output if event.stream == stream)


def _detail(event: StateUpdate) -> dict[str, Any]:
    return event.message.model_dump(mode="json", exclude_none=True)


def key_of(command: RunTask) -> AttemptKey:
    return AttemptKey(command.run_id, command.task, command.attempt)


@contextlib.contextmanager
def a_session(settings: Settings = FAST, lock_path: str = "") -> Iterator[Session]:
    """A pool without servers."""
    pool = WorkerPool(
        token=f"test-{os.getpid()}-{next(_tokens)}", settings=settings, lock_path=lock_path
    )
    try:
        yield Session(pool)
    finally:
        pool.close()


def read_when_there(path: Path) -> str:
    """The content of a file that a body writes, once it has."""
    deadline = time.monotonic() + DEADLINE_S
    while time.monotonic() < deadline:
        if path.exists() and (text := path.read_text()):
            return text
        os.sched_yield()
    raise AssertionError(f"{path} was not written")


def is_alive(pid: int) -> bool:
    """Whether a process exists and has not ended."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return stat[stat.rindex(")") + 2] not in "ZX"


def wait_until_dead(pid: int) -> None:
    """Wait for the end of a process that is not a child. Fails after a while."""
    try:
        fd = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        assert select.select([fd], [], [], DEADLINE_S)[0], f"process {pid} still runs"
    finally:
        os.close(fd)
