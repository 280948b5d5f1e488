"""Thread pool: the workers of one task server as threads of this process.

Invariant: each server has its own threads, so that a slow server does not delay another. A command
that waits for a worker is acknowledged with `queued` well within its clock, and only then.
"""

import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from queue import SimpleQueue
from typing import Final, Literal

from cerebro.embedded.storage.targets import ServerLoad
from cordyna_core import attempt as reporting
from cordyna_core.attempt_output import AttemptCapture
from cordyna_core.contract.base import Message, meta_at
from cordyna_core.contract.commands import CancelTask, RunTask
from cordyna_core.contract.envelope import open_envelope, seal
from cordyna_core.contract.ids import derived_id, server_source
from cordyna_core.contract.state_updates import TaskStateChanged
from cordyna_core.contract.time import utc
from cordyna_core.ports import Clock
from cordyna_core.server.cancellation import CancellationFlag
from cordyna_core.server.result import describe
from cordyna_core.server.task_server import TaskServer

QUEUED_AFTER_S: Final = 0.5
"""A command that waits this long for a worker is acknowledged; earlier if its clock is short."""

AttemptKey = tuple[str, str, int]


@dataclass(slots=True)
class _Waiting:
    command: RunTask
    queued_at: float
    is_queued: bool = False


class ServerThreads:
    """The workers of one task server, started as they are needed, up to `concurrency`."""

    def __init__(
        self,
        server: TaskServer,
        *,
        put: Callable[[str], None],
        clock: Clock,
        output: AttemptCapture,
        concurrency: int,
    ) -> None:
        self.server = server
        self._bus = _ServerBus(server_source(server.name), put, clock, output)
        self._clock, self._output, self._concurrency = clock, output, concurrency
        self._waiting: deque[_Waiting] = deque()
        self._wakes: SimpleQueue[Literal["work", "end"]] = SimpleQueue()
        self._lock = threading.Lock()
        self._threads = 0
        self._idle = 0
        self._running: set[AttemptKey] = set()
        self._cancellations: dict[AttemptKey, CancellationFlag] = {}

    def run(self, event: str) -> None:
        """Queue the command of this event. It is read again: the body gets values of its own."""
        command = open_envelope(event).message
        assert isinstance(command, RunTask)
        self._enqueue(command)

    def cancel(self, command: CancelTask) -> None:
        """Set the flag that the body of this attempt reads as `ctx.cancelled`."""
        self._cancellation_of(_key_of(command)).request()

    def has_cancelled(self) -> bool:
        """Return whether the body of a cancelled attempt still runs."""
        with self._lock:
            return any(key in self._running and flag() for key, flag in self._cancellations.items())

    def load(self) -> ServerLoad:
        """Return how busy this server is."""
        with self._lock:
            return ServerLoad(
                self.server.name,
                "ready",
                self._concurrency,
                tuple(self._running),
                tuple(_key_of(waiting.command) for waiting in self._waiting),
                mode="threads",
            )

    def _enqueue(self, command: RunTask) -> None:
        now = self._clock()
        patience_s = min(QUEUED_AFTER_S, (command.ack_by.timestamp() - now) / 4)
        with self._lock:
            self._waiting.append(_Waiting(command, now + patience_s))
            start = self._idle < len(self._waiting) and self._threads < self._concurrency
            if start:
                self._threads += 1
        if start:
            # Daemons: a body that never returns does not keep the process from ending.
            threading.Thread(
                target=self._work, name=f"{self.server.name}-{self._threads}", daemon=True
            ).start()
        self._wakes.put("work")

    def publish_queued(self) -> float | None:
        """Publish `queued` for what has waited long enough. Returns when the next one is due."""
        if not self._waiting:  # Without the lock: only the caller's thread adds to it.
            return None
        now = self._clock()
        due: list[RunTask] = []
        next_at: float | None = None
        with self._lock:
            for waiting in self._waiting:
                if waiting.is_queued:
                    continue
                if waiting.queued_at <= now:
                    waiting.is_queued = True
                    due.append(waiting.command)
                else:
                    next_at = min(waiting.queued_at, next_at or waiting.queued_at)
        if due:
            self._bus.publish([_queued(command, now) for command in due])
        return next_at

    def stop(self) -> None:
        """End idle workers; busy ones end with their body."""
        for _ in range(self._threads):
            self._wakes.put("end")

    def _work(self) -> None:
        while True:
            with self._lock:
                self._idle += 1
            wake = self._wakes.get()
            with self._lock:
                self._idle -= 1
                if wake == "end":
                    self._threads -= 1
                    return
                waiting = self._waiting.popleft()
                key = _key_of(waiting.command)
                # A command that is delivered twice runs once at a time.
                is_duplicate = key in self._running
                self._running.add(key)
            if is_duplicate:
                continue
            try:
                self._run(waiting, key)
            finally:
                with self._lock:
                    self._running.discard(key)
                    self._cancellations.pop(key, None)

    def _cancellation_of(self, key: AttemptKey) -> CancellationFlag:
        with self._lock:
            return self._cancellations.setdefault(key, CancellationFlag())

    def _run(self, waiting: _Waiting, key: AttemptKey) -> None:
        cancelled = self._cancellation_of(key)
        with self._output.of(*key):
            try:
                self.server.run(
                    waiting.command,
                    bus=self._bus,
                    clock=self._clock,
                    queued=waiting.is_queued,
                    cancelled=cancelled,
                )
            except BaseException as error:  # noqa: BLE001  it becomes the attempt's error
                attempt = reporting.Attempt(waiting.command, self._bus, self._clock, cancelled)
                attempt.report("error", reason="failed", error=describe(error))


class _ServerBus:
    """The bus as one server uses it: all of its messages have the server's source."""

    def __init__(
        self, source: str, put: Callable[[str], None], clock: Clock, output: AttemptCapture
    ) -> None:
        self._source, self._put, self._clock, self._output = source, put, clock, output

    def publish(self, messages: Sequence[Message]) -> None:
        # What was printed before a message is in the log before the message is processed.
        self._output.flush()
        for message in messages:
            meta = message.meta
            event_id = (
                meta.id
                if meta is not None and meta.id is not None
                else derived_id("event", self._source, str(self._clock()))
            )
            self._put(seal(message, self._source, event_id, utc(self._clock())))


def _key_of(command: RunTask | CancelTask) -> AttemptKey:
    return (command.run_id, command.task, command.attempt)


def _queued(command: RunTask, now: float) -> TaskStateChanged:
    run_id, task, attempt = _key_of(command)
    return TaskStateChanged(
        meta=meta_at(
            now,
            derived_id("TaskStateChanged", run_id, task, attempt, "queued"),
            command.meta.id if command.meta else None,
        ),
        server=command.server,
        run_id=run_id,
        task=task,
        attempt=attempt,
        state="queued",
    )
