"""Attempt errors: what failed attempts of a run reported, read from its events.

Invariant: only for display. The facts of a run keep the error of the last attempt only.
"""

from contextlib import suppress

from cordyna_cli.engine import Engine
from cordyna_core.contract.base import ErrorDescription
from cordyna_core.contract.envelope import MalformedEvent, open_envelope
from cordyna_core.contract.state_updates import TaskStateChanged
from cordyna_core.contract.views.runs import TimelineEntryView
from cordyna_core.errors import ServiceError

_MARKER = '"error"'
"""Only events with it are read whole."""


class AttemptErrors:
    """The errors of the attempts of a run. Reading again reads only later events."""

    def __init__(self, engine: Engine, run_id: str) -> None:
        self._engine, self._run_id, self._after = engine, run_id, 0
        self._has_read_late_events = False
        self._errors: dict[tuple[str, int, str | None], ErrorDescription] = {}

    def of(
        self, task: str, entry: TimelineEntryView, *, run_has_ended: bool
    ) -> ErrorDescription | None:
        """Return the error that was reported with an entry.

        None if it had none, or it is not known yet.

        Events that arrive late are read once, when the run has ended: each reading is slow.
        Raises what `Engine.events` raises of live events.
        """
        key = (task, entry.attempt, entry.reason)
        if key not in self._errors:
            if self._engine.has_live_events:
                self._read_events()
            elif run_has_ended and not self._has_read_late_events:
                self._has_read_late_events = True
                # The log may have nothing of the run yet, or nothing any more.
                with suppress(ServiceError):
                    self._read_events()
        return self._errors.get(key)

    def _read_events(self) -> None:
        for event in self._engine.events(self._run_id, after=self._after):
            self._after = event.seq
            self._read(event.text)

    def _read(self, text: str) -> None:
        if _MARKER not in text:
            return
        try:
            message = open_envelope(text).message
        except MalformedEvent:
            return
        if isinstance(message, TaskStateChanged) and message.error is not None:
            self._errors[message.task, message.attempt, message.reason] = message.error
