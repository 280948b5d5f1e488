"""Attempts: what a server reports about one sending of one task.

Invariant: every id is derived from the attempt, so an attempt that runs a second time reports the
same states under the same ids.
"""

import itertools
import logging
import math
from collections.abc import Callable
from typing import Any, Final

from cordyna_core._version import __version__
from cordyna_core.contract.base import ErrorDescription, Message, Meta, Producer, State
from cordyna_core.contract.commands import InvokeTask, RunTask
from cordyna_core.contract.ids import derived_id, run_id_of, server_source
from cordyna_core.contract.limits import MAX_PROGRESS_MESSAGE_CHARS
from cordyna_core.contract.state_updates import TaskStateChanged
from cordyna_core.contract.time import utc
from cordyna_core.ports import Bus, Clock
from cordyna_core.start_hold import StartTimer, Stop, not_sent

# Not validated, because that would build the model while the library is imported (20 ms).
PRODUCER: Final = Producer.model_construct(name="cordyna-core", version=__version__)

_log = logging.getLogger("cordyna.server")


def is_stale(command: RunTask, now: float, *, queued: bool) -> bool:
    """Return whether it is too late to start the body; `queued` was reported or not."""
    return now > command.start_by.timestamp() or (not queued and now > command.ack_by.timestamp())


class Attempt:
    """One attempt, and the messages that it has published (`events`)."""

    __slots__ = (
        "_begin_timer",
        "_bus",
        "_clock",
        "_counter",
        "_held_start",
        "_stop_timer",
        "cancelled",
        "command",
        "events",
    )

    def __init__(
        self, command: RunTask, bus: Bus, clock: Clock, cancelled: Callable[[], bool]
    ) -> None:
        self.command = command
        self.cancelled = cancelled
        self.events: list[Message] = []
        self._bus = bus
        self._clock = clock
        # itertools.count is atomic: a body may report from several threads.
        self._counter = itertools.count(1)
        # What two threads do with it at the same time sends it at most twice, under one id.
        self._held_start: TaskStateChanged | None = None
        self._begin_timer: Callable[[], Stop] = lambda: not_sent
        self._stop_timer: Stop = not_sent

    def hold_start(self, delay_s: float, timer: StartTimer) -> None:
        """Note that the body begins now; `started` is left to the timer, or to the end."""
        self._held_start = held = self._update("started")
        self._begin_timer = lambda: timer(delay_s, held, self.send_held_start)
        self._stop_timer = self._begin_timer()

    def end_hold(self) -> None:
        """Stop the timer. Call it before the end of the attempt is reported."""
        stop, self._stop_timer = self._stop_timer, not_sent
        if stop() and self._held_start is not None:
            self.events.append(self._held_start)
            self._held_start = None

    def send_held_start(self) -> bool:
        """Publish `started` if it is held. Returns whether it is not held any more.

        A bus that fails is logged: the end of the attempt reports the start, too.
        """
        held = self._held_start
        if held is None:
            return True
        try:
            self._publish(held)
        except Exception:  # noqa: BLE001  a bus may raise anything
            self._log_unpublished("started")
            return False
        self._held_start = None
        return True

    def report(
        self,
        state: State,
        *,
        output: Any = None,
        reason: str | None = None,
        error: ErrorDescription | None = None,
    ) -> None:
        """Publish the attempt's new state. Raises what the bus raises.

        The end of an attempt whose `started` is held names when the body began.
        """
        held = self._held_start
        started_at = None if held is None or held.meta is None else held.meta.time
        self._publish(
            self._update(state, output=output, reason=reason, error=error, started_at=started_at)
        )

    def report_progress(self, fraction: float | None, message: str | None) -> None:
        """Publish the progress of the body.

        Progress is for people only, so nothing about it fails the body: a value that cannot be sent
        and a bus that fails are logged.
        """
        # Progress is a `started`, too: what is held is not saved any more, and began earlier.
        self.end_hold()
        if not self.send_held_start():
            self._stop_timer = self._begin_timer()
        try:
            self._publish(self._progress(fraction, message))
        except Exception:  # noqa: BLE001  a bus or a value may raise anything
            self._log_unpublished("progress")

    def invoke(self, task: str, params: dict[str, Any]) -> str:
        """Publish an InvokeTask; return the id of the run that it asks for.

        Raises what the bus raises.
        """
        command = self.command
        key = derived_id(
            "invoke", command.run_id, command.task, command.attempt, next(self._counter)
        )
        invocation = InvokeTask(
            task=task,
            params=params,
            key=key,
            by_run=command.run_id,
            by_task=command.task,
            meta=self._meta(key),
        )
        self._publish(invocation)
        return run_id_of(task, key, server_source(command.server))

    def _update(self, state: State, **fields: Any) -> TaskStateChanged:
        command = self.command
        return TaskStateChanged(
            server=command.server,
            run_id=command.run_id,
            task=command.task,
            attempt=command.attempt,
            state=state,
            meta=self._meta(
                derived_id("TaskStateChanged", command.run_id, command.task, command.attempt, state)
            ),
            **fields,
        )

    def _log_unpublished(self, what: str) -> None:
        command = self.command
        _log.warning(
            "%s of %s, attempt %d of run %s, was not published",
            what,
            command.task,
            command.attempt,
            command.run_id,
            exc_info=True,
        )

    def _progress(self, fraction: float | None, message: str | None) -> TaskStateChanged:
        command = self.command
        number = None if fraction is None else float(fraction)
        if number is not None:
            number = None if math.isnan(number) else max(0.0, min(1.0, number))
        # A lone surrogate, as from os.fsdecode, is not text for JSON: it is sent escaped.
        text = (
            None if message is None else str(message).encode("utf-8", "backslashreplace").decode()
        )
        return TaskStateChanged(
            server=command.server,
            run_id=command.run_id,
            task=command.task,
            attempt=command.attempt,
            state="started",
            progress=number,
            message=text and text[:MAX_PROGRESS_MESSAGE_CHARS],
            meta=self._meta(
                derived_id(
                    "progress", command.run_id, command.task, command.attempt, next(self._counter)
                )
            ),
        )

    def _meta(self, message_id: str) -> Meta:
        cause = self.command.meta
        return Meta(
            id=message_id,
            time=utc(int(self._clock() * 1000) / 1000),
            producer=PRODUCER,
            cause=None if cause is None else cause.id,
            traceparent=None if cause is None else cause.traceparent,
        )

    def _publish(self, message: Message) -> None:
        self._bus.publish((message,))
        self.events.append(message)
