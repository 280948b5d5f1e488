"""Attempt: what a server says about one sending of one task.

Law: every id is derived from the attempt, so an attempt that runs a second time says the same things under the same ids.
"""

import itertools
import logging
from collections.abc import Callable
from typing import Any, Final

from cordyna_core._version import __version__
from cordyna_core.contract.base import ErrorDescription, Message, Meta, Producer, State
from cordyna_core.contract.commands import InvokeTask, RunTask
from cordyna_core.contract.ids import derived_id, run_id_of
from cordyna_core.contract.state_updates import TaskStateChanged
from cordyna_core.contract.time import utc
from cordyna_core.ports import Bus, Clock

# Not validated, because that would build the model while the library is imported (20 ms).
PRODUCER: Final = Producer.model_construct(name="cordyna-core", version=__version__)
_MAX_MESSAGE_CHARS: Final = 1024

_log = logging.getLogger("cordyna.server")


class Attempt:
    """One attempt, and what has been said about it so far."""

    __slots__ = ("_bus", "_clock", "_counts", "cancelled", "command", "events")

    def __init__(
        self, command: RunTask, bus: Bus, clock: Clock, cancelled: Callable[[], bool]
    ) -> None:
        self.command = command
        self.cancelled = cancelled
        self.events: list[Message] = []
        self._bus = bus
        self._clock = clock
        # itertools.count steps atomically: a body may report from several threads.
        self._counts = itertools.count(1)

    def say(
        self,
        state: State,
        *,
        output: Any = None,
        reason: str | None = None,
        error: ErrorDescription | None = None,
    ) -> None:
        """Publish the attempt's new state. Raises what the bus raises."""
        command = self.command
        update = TaskStateChanged(
            server=command.server,
            run_id=command.run_id,
            task=command.task,
            attempt=command.attempt,
            state=state,
            output=output,
            reason=reason,
            error=error,
            meta=self._meta(
                derived_id("TaskStateChanged", command.run_id, command.task, command.attempt, state)
            ),
        )
        self._publish(update)

    def say_progress(self, fraction: float | None, message: str | None) -> None:
        """Publish how far the body is. It is only for people, so a bus that fails does not fail the body: it is logged."""
        command = self.command
        update = TaskStateChanged(
            server=command.server,
            run_id=command.run_id,
            task=command.task,
            attempt=command.attempt,
            state="started",
            progress=None if fraction is None else max(0.0, min(1.0, fraction)),
            message=None if message is None else message[:_MAX_MESSAGE_CHARS],
            meta=self._meta(
                derived_id(
                    "progress", command.run_id, command.task, command.attempt, next(self._counts)
                )
            ),
        )
        try:
            self._publish(update)
        except Exception:
            where = (command.task, command.attempt, command.run_id)
            _log.warning(
                "progress of %s, attempt %d of run %s, was not published", *where, exc_info=True
            )

    def invoke(self, task: str, params: dict[str, Any]) -> str:
        """Publish an InvokeTask; the id of the run that it asks for. Raises what the bus raises."""
        command = self.command
        key = derived_id(
            "invoke", command.run_id, command.task, command.attempt, next(self._counts)
        )
        self._publish(InvokeTask(task=task, params=params, key=key, meta=self._meta(key)))
        return run_id_of(task, key)

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
