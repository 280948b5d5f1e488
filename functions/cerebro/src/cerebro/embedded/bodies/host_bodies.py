"""Host bodies: task servers and bodies in processes of their own, under one worker host.

Invariant: what a worker sends is not trusted: it becomes an event with the server as its sender,
and is read and checked like any other event of the bus.
"""

import json
import logging
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError

from cerebro.embedded.bodies.port import (
    FRAME_OF_WORKER,
    BodiesDrained,
    BodyEvent,
    CheckedEvent,
    LoadFailure,
    Loads,
    ServerLoaded,
    Undeliverable,
)
from cerebro.embedded.bodies.unloaded import answer_unloaded
from cerebro.embedded.bodies.worker_host import StartedServers, start_pool
from cerebro.embedded.storage.event_log import LogChunk
from cerebro.embedded.storage.targets import ServerLoad
from cordyna_core.contract.commands import CancelTask, RunTask
from cordyna_core.contract.declaration import ServerDeclared
from cordyna_core.contract.envelope import Envelope, problems_of, seal
from cordyna_core.contract.ids import derived_id, server_source
from cordyna_core.contract.state_updates import TaskStateChanged
from cordyna_core.contract.time import rfc3339, utc
from cordyna_core.ports import Clock
from cordyna_core.worker.pool import events as worker_events
from cordyna_core.worker.pool.pool import WorkerPool
from cordyna_core.worker.protocol import AttemptKey
from cordyna_core.worker.spec import ServerSpec

_log = logging.getLogger("cordyna")

SERVER_LOG_RUN: Final = ""
"""The run id under which the output of a server's import is stored."""


class HostBodies:
    """Implements Bodies. `specs` by target; `early`: servers that were started already."""

    holds_starts = True

    def __init__(
        self,
        specs: Mapping[str, ServerSpec],
        lock_path: Path | None,
        clock: Clock,
        early: StartedServers | None = None,
    ) -> None:
        self._specs, self._clock, self._lock_path = dict(specs), clock, lock_path
        self._early = early
        self._loading: set[str] = set()
        self._pool: WorkerPool | None = None
        self._started: set[str] = set()
        self._cancelled: set[AttemptKey] = set()
        self._commands: dict[AttemptKey, RunTask] = {}
        self._load_errors: dict[str, str] = {}
        """By target that has no code to run."""
        self._handlers: dict[type, Callable[[Any], BodyEvent | None]] = {
            worker_events.Declared: self._declared,
            worker_events.LoadFailed: self._load_failed,
            worker_events.StateUpdate: self._state_update,
            worker_events.MessagePublished: self._message,
            worker_events.OutputLines: self._output,
            worker_events.ServerOutput: self._server_output,
            worker_events.AttemptEnded: self._attempt_ended,
            worker_events.DeadLetter: self._dead_letter,
            worker_events.Busy: self._busy,
            worker_events.Drained: lambda _: BodiesDrained(),
        }

    def start(self, wake: Callable[[], None]) -> None:
        del wake  # The descriptor of the pool wakes the driver.
        self._pool = self._early.take() if self._early is not None else None
        if self._pool is not None and self._early is not None:
            self._loading = set(self._early.targets)
        else:
            self._pool = start_pool(self._lock_path, self._clock)

    @property
    def _running_pool(self) -> WorkerPool:
        assert self._pool is not None, "start() comes first"
        return self._pool

    def fileno(self) -> int:
        return self._running_pool.fileno()

    def next_poll_s(self) -> float:
        return self._running_pool.next_poll_s()

    def receive(self) -> Sequence[BodyEvent]:
        events = []
        for event in self._running_pool.receive():
            handle = self._handlers.get(type(event))
            if handle is None:
                _log_event(event)
            elif (body_event := handle(event)) is not None:
                events.append(body_event)
        return events

    def load(self, targets: Sequence[str]) -> None:
        for target in targets:
            if target in self._loading:
                # It was started before the engine was imported, and answers by itself.
                self._loading.discard(target)
                self._started.add(target)
            elif target in self._started:
                self._running_pool.reload(target)
            else:
                self._started.add(target)
                self._running_pool.start([self._specs[target]])

    def remove(self, target: str) -> None:
        self._started.discard(target)
        self._loading.discard(target)
        self._load_errors.pop(target, None)
        self._running_pool.remove(target)

    def run(self, command: RunTask, event: str, run_timeout_s: float) -> None:
        del event
        self._commands[AttemptKey(command.run_id, command.task, command.attempt)] = command
        self._running_pool.run(command, run_timeout_s=run_timeout_s)

    def cancel(self, command: CancelTask) -> None:
        key = AttemptKey(command.run_id, command.task, command.attempt)
        if key in self._running_pool.live:
            self._cancelled.add(key)
            self._running_pool.cancel(command)

    def has_live(self) -> bool:
        return bool(self._running_pool.live)

    def has_cancelled(self) -> bool:
        return bool(self._cancelled)

    def request_loads(self) -> None:
        self._running_pool.request_busy()

    def drain(self, within_s: float) -> None:
        self._running_pool.drain(within_s)

    def close(self) -> None:
        if self._pool is not None:
            self._pool.close()

    # -- events of the pool -------------------------------------------------------------------

    def _declared(self, event: worker_events.Declared) -> BodyEvent:
        self._load_errors.pop(event.target, None)
        try:
            declaration = ServerDeclared.model_validate(event.detail)
        except ValidationError as invalid:
            problems = problems_of(invalid, "malformed_declaration")
            error = "; ".join(problem.message for problem in problems)
            return LoadFailure(
                event.target, f"its declaration is malformed: {error}", still_serving=False
            )
        return ServerLoaded(event.target, declaration, event.mode, event.mode_reason)

    def _load_failed(self, event: worker_events.LoadFailed) -> BodyEvent:
        if not event.still_serving:
            self._load_errors[event.target] = event.error
        return LoadFailure(event.target, event.error, still_serving=event.still_serving)

    def _state_update(self, event: worker_events.StateUpdate) -> BodyEvent:
        now = self._clock()
        meta = event.message.meta
        event_id = meta.id if meta is not None and meta.id is not None else _event_id(event, now)
        # The pool has validated the message: it need not be read again.
        return _checked(event.message, event_id, now)

    def _message(self, event: worker_events.MessagePublished) -> BodyEvent:
        now = self._clock()
        meta = event.detail.get("meta")
        event_id = meta.get("id") if isinstance(meta, dict) else None
        return json.dumps(
            {
                "version": "0",
                "id": event_id or _event_id(event, now),
                "source": server_source(event.server),
                "detail-type": event.detail_type,
                "account": "",
                "time": rfc3339(utc(now)),
                "region": "",
                "resources": [],
                "detail": event.detail,
            },
            ensure_ascii=False,
            separators=(",", ":"),
        )

    def _output(self, event: worker_events.OutputLines) -> BodyEvent:
        return LogChunk(*event.key, event.at, event.stream, event.text)

    def _server_output(self, event: worker_events.ServerOutput) -> BodyEvent:
        return LogChunk(SERVER_LOG_RUN, event.target, 0, event.at, event.stream, event.text)

    def _attempt_ended(self, event: worker_events.AttemptEnded) -> BodyEvent | None:
        self._cancelled.discard(event.key)
        command = self._commands.pop(event.key, None)
        if event.outcome != "not_loaded" or command is None or not self._load_errors:
            return None
        now = self._clock()
        message = answer_unloaded(command, self._load_errors.values(), now)
        assert message.meta is not None
        assert message.meta.id is not None
        return _checked(message, message.meta.id, now)

    def _dead_letter(self, event: worker_events.DeadLetter) -> BodyEvent:
        return Undeliverable(event.text, f"{FRAME_OF_WORKER}{event.why}")

    def _busy(self, event: worker_events.Busy) -> BodyEvent:
        return Loads(
            tuple(
                ServerLoad(
                    status.server or status.target,
                    status.state,
                    status.concurrency,
                    tuple(tuple(key) for key in status.running),  # type: ignore[misc]
                    tuple(tuple(key) for key in status.waiting),  # type: ignore[misc]
                    mode=status.mode or "",
                    mode_reason=status.mode_reason,
                    pids=status.pids,
                )
                for status in event.servers
            )
        )


def _checked(message: TaskStateChanged, event_id: str, now: float) -> CheckedEvent:
    source, at = server_source(message.server), utc(now)
    return CheckedEvent(
        seal(message, source, event_id, at), Envelope(source, message, event_id, at)
    )


def _log_event(event: worker_events.Event) -> None:
    """Log what needs no reaction."""
    match event:
        case worker_events.HostLost():
            _log.warning("the worker host was lost (%s) and is started again", event.why)
        case worker_events.WorkerFailed():
            _log.warning("a further worker of %s did not start: %s", event.target, event.error)
        case _:
            _log.debug("%s", event)


def _event_id(event: worker_events.StateUpdate | worker_events.MessagePublished, now: float) -> str:
    return derived_id("event", event.server, *event.key, str(now))
