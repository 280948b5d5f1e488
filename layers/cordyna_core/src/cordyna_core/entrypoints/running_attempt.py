"""Running attempt: what one thread does with the events of an attempt in a worker process.

Invariant: `follow` returns only when nothing of the attempt runs any more, and its final state is
published or the command must be delivered again.
"""

import logging
import sys
from collections.abc import Callable, Sequence
from json import loads
from queue import Empty, SimpleQueue
from typing import Final

from pydantic import ValidationError

from cordyna_core.contract.base import Message
from cordyna_core.contract.registry import MESSAGES
from cordyna_core.contract.state_updates import TaskStateChanged
from cordyna_core.entrypoints.held_start import HeldStart
from cordyna_core.errors import ServiceError
from cordyna_core.ports import Bus
from cordyna_core.worker.pool import events

CANCELLED_READ_INTERVAL_S: Final = 1.0
"""How often it is read whether the attempt is cancelled."""

_NOT_ANSWERED: Final = frozenset({"not_loaded", "drain"})
"""Outcomes after which the command must be delivered again."""

_log = logging.getLogger("cordyna.server")

Inbox = SimpleQueue[events.Event | None]
"""The events of one attempt up to its AttemptEnded; None: the pool has failed."""


class RunningAttempt:
    """One attempt. `cancel` passes a cancellation on to its body."""

    def __init__(
        self,
        bus: Bus,
        cancelled: Callable[[], bool],
        cancel: Callable[[], None],
        start: HeldStart,
    ) -> None:
        self._bus, self._cancelled, self._cancel = bus, cancelled, cancel
        self._start = start
        self._is_cancelled = False
        self._unsent: list[Message] = []
        self._failure: Exception | None = None

    def follow(self, inbox: Inbox) -> None:
        """Publish and print what the attempt reports, until it has ended.

        Raises what the bus raises for its final state; ServiceError: it was not run to an end.
        """
        while True:
            event = self._next(inbox)
            if isinstance(event, events.AttemptEnded):
                break
            self._handle(event)
        if self._failure is not None:
            raise self._failure
        if event.outcome in _NOT_ANSWERED:
            raise ServiceError(
                f"the attempt was not run ({event.outcome}).",
                next="read the log of the server: its command will be delivered again",
            )

    def _next(self, inbox: Inbox) -> events.Event:
        while True:
            due_s = self._start.due_in_s()
            if due_s == 0:
                self._start.send(self._publish_start)
                continue
            is_start_next = due_s is not None and due_s < CANCELLED_READ_INTERVAL_S
            try:
                event = inbox.get(timeout=due_s if is_start_next else CANCELLED_READ_INTERVAL_S)
            except Empty:
                self._read_cancelled()
                continue
            if event is None:
                raise ServiceError(
                    "the worker pool of this process has failed.",
                    next="read the log of the server: its command will be delivered again",
                )
            return event

    def _read_cancelled(self) -> None:
        if self._is_cancelled:
            return
        try:
            self._is_cancelled = self._cancelled()
        except Exception:  # noqa: BLE001  it is read again soon
            _log.warning("whether an attempt is cancelled could not be read", exc_info=True)
        if self._is_cancelled:
            self._cancel()

    def _handle(self, event: events.Event) -> None:
        match event:
            case events.StateUpdate(is_final=True):
                self._publish_final(self._start.add_to(event.message))
            case events.StateUpdate():
                self._publish_update(event.message)
            case events.MessagePublished():
                self._publish_command(event)
            case events.OutputLines(stream="log"):
                _write_records(event.text)
            case events.OutputLines():
                (sys.stdout if event.stream == "stdout" else sys.stderr).write(event.text)
            case events.OutputCut():
                sys.stderr.write(f"cordyna: {event.cut_bytes} bytes of output were left out\n")
            case events.DeadLetter():
                _log.warning("a frame of the body was not handled: %s: %s", event.why, event.text)

    def _publish_update(self, update: TaskStateChanged) -> None:
        """Publish or hold `started`, which follows from the final state; publish progress."""
        if update.progress is not None or update.message is not None:
            # It is a `started`, too: what is held is not saved any more, and began earlier.
            self._start.send(self._publish_start)
        elif self._start.hold(update):
            return
        self._publish([update])

    def _publish_start(self, started: TaskStateChanged) -> bool:
        return self._publish([started])

    def _publish(self, messages: Sequence[Message]) -> bool:
        try:
            self._bus.publish(messages)
        except Exception:  # noqa: BLE001  what is important is published again
            _log.warning("a state of an attempt was not published", exc_info=True)
            return False
        return True

    def _publish_command(self, event: events.MessagePublished) -> None:
        try:
            command = MESSAGES[event.detail_type].model_validate(event.detail)
        except ValidationError as invalid:
            _log.warning("a %s of the body is not of the contract: %s", event.detail_type, invalid)
            return
        if not self._publish([command]):
            self._unsent.append(command)

    def _publish_final(self, message: Message) -> None:
        try:
            if self._unsent:
                self._bus.publish(self._unsent)
            self._bus.publish([message])
        except Exception as failure:  # noqa: BLE001  raised once nothing of the attempt runs
            self._failure = failure


def _write_records(text: str) -> None:
    """Log what the body logged, with its level and its logger."""
    for line in text.splitlines():
        fields = loads(line)
        level = logging.getLevelNamesMapping().get(fields["level"], logging.INFO)
        record = logging.LogRecord(fields["logger"], level, "", 0, fields["message"], None, None)
        record.levelname = fields["level"]
        logging.getLogger().handle(record)
