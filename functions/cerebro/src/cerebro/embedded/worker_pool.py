"""Pool: one task server's workers inside the embedded engine.

Law: each server has its own threads, so a slow one does not hold up another. A command that finds no worker free is
acknowledged with `queued` well within its clock, and only then.
"""

import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from queue import SimpleQueue
from typing import Final, Literal

from cerebro.embedded.output_capture import Capture
from cordyna_core.contract.base import Message, meta_at
from cordyna_core.contract.commands import CancelTask, RunTask
from cordyna_core.contract.envelope import open_envelope, seal
from cordyna_core.contract.ids import derived_id, server_source
from cordyna_core.contract.state_updates import TaskStateChanged
from cordyna_core.contract.time import utc
from cordyna_core.ports import Clock
from cordyna_core.server import attempt as reporting
from cordyna_core.server.result import describe
from cordyna_core.server.task_server import TaskServer

PATIENCE_S: Final = 0.5
"""How long a command waits for a worker before `queued` is said (less where its own clock is shorter)."""

Attempt = tuple[str, str, int]


@dataclass(slots=True)
class _Waiting:
    command: RunTask
    say_queued_at: float
    queued: bool = False


class ServerPool:
    """The workers of one task server, started as they are needed, up to `concurrency`."""

    def __init__(
        self,
        server: TaskServer,
        *,
        put: Callable[[str], None],
        clock: Clock,
        capture: Capture,
        concurrency: int,
    ) -> None:
        self.server = server
        self._bus = _ServerBus(server_source(server.name), put, clock, capture)
        self._clock, self._capture, self._concurrency = clock, capture, concurrency
        self._waiting: deque[_Waiting] = deque()
        self._wakes: SimpleQueue[Literal["work", "end"]] = SimpleQueue()
        self._lock = threading.Lock()
        self._threads = 0
        self._idle = 0
        self._running: set[Attempt] = set()
        self._cancelled: set[Attempt] = set()

    def deliver(self, event: str) -> None:
        """Take a command's event from the bus."""
        command = open_envelope(event).message
        if isinstance(command, CancelTask):
            with self._lock:
                self._cancelled.add((command.run_id, command.task, command.attempt))
        elif isinstance(command, RunTask):
            self._take(command)

    def _take(self, command: RunTask) -> None:
        now = self._clock()
        patience = min(PATIENCE_S, (command.ack_by.timestamp() - now) / 4)
        with self._lock:
            self._waiting.append(_Waiting(command, now + patience))
            start = self._idle < len(self._waiting) and self._threads < self._concurrency
            if start:
                self._threads += 1
        if start:
            # Daemons: a body that never returns does not keep the process from ending.
            threading.Thread(
                target=self._work, name=f"{self.server.name}-{self._threads}", daemon=True
            ).start()
        self._wakes.put("work")

    def say_queued(self) -> float | None:
        """Say `queued` of what has waited long enough. Returns when to call again, None when nothing waits unacknowledged."""
        now = self._clock()
        due: list[RunTask] = []
        with self._lock:
            again: float | None = None
            for waiting in self._waiting:
                if waiting.queued:
                    continue
                if waiting.say_queued_at <= now:
                    waiting.queued = True
                    due.append(waiting.command)
                else:
                    again = min(waiting.say_queued_at, again or waiting.say_queued_at)
        self._bus.publish([_queued(command, now) for command in due])
        return again

    def stop(self) -> None:
        """Let idle workers end; those at work end with their body."""
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
                attempt = (waiting.command.run_id, waiting.command.task, waiting.command.attempt)
                # A command delivered twice is run once at a time: its first body is still the accepted one.
                twice = attempt in self._running
                self._running.add(attempt)
            if twice:
                continue
            try:
                self._run(waiting, attempt)
            finally:
                with self._lock:
                    self._running.discard(attempt)
                    self._cancelled.discard(attempt)

    def _run(self, waiting: _Waiting, attempt: Attempt) -> None:
        cancelled = partial(self._cancelled.__contains__, attempt)
        with self._capture.of(*attempt):
            try:
                self.server.run(
                    waiting.command,
                    bus=self._bus,
                    clock=self._clock,
                    queued=waiting.queued,
                    cancelled=cancelled,
                )
            except BaseException as error:
                said = reporting.Attempt(waiting.command, self._bus, self._clock, cancelled)
                said.say("error", reason="failed", error=describe(error))


class _ServerBus:
    """The bus as one server sees it: it speaks in its own name only."""

    def __init__(
        self, source: str, put: Callable[[str], None], clock: Clock, capture: Capture
    ) -> None:
        self._source, self._put, self._clock, self._capture = source, put, clock, capture

    def publish(self, messages: Sequence[Message]) -> None:
        # What was printed before something was said is in the log before it is heard.
        self._capture.flush()
        for message in messages:
            meta = message.meta
            event_id = (
                meta.id
                if meta and meta.id
                else derived_id("event", self._source, str(self._clock()))
            )
            self._put(seal(message, self._source, event_id, utc(self._clock())))


def _queued(command: RunTask, now: float) -> TaskStateChanged:
    run_id, task, attempt = command.run_id, command.task, command.attempt
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
