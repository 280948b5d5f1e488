"""Attempt errors: what failed attempts of a run reported, read from its events.

Invariant: only for display. The facts of a run keep the error of the last attempt only.
"""

from cordyna_cli.engine import Engine
from cordyna_core.contract.base import ErrorDescription
from cordyna_core.contract.envelope import MalformedEvent, open_envelope
from cordyna_core.contract.state_updates import TaskStateChanged
from cordyna_core.contract.views.runs import TimelineEntryView

_MARKER = '"error"'
"""Only events with it are read whole."""


class AttemptErrors:
    """The errors of the attempts of a run. Reading again reads only later events."""

    def __init__(self, engine: Engine, run_id: str) -> None:
        self._engine, self._run_id, self._after = engine, run_id, 0
        self._errors: dict[tuple[str, int, str | None], ErrorDescription] = {}

    def of(self, task: str, entry: TimelineEntryView) -> ErrorDescription | None:
        """The error that was reported with an entry; None if it had none, or events are late.

        Raises what `Engine.events` raises.
        """
        key = (task, entry.attempt, entry.reason)
        if key not in self._errors and self._engine.has_live_events:
            for event in self._engine.events(self._run_id, after=self._after):
                self._after = event.seq
                self._read(event.text)
        return self._errors.get(key)

    def _read(self, text: str) -> None:
        if _MARKER not in text:
            return
        try:
            message = open_envelope(text).message
        except MalformedEvent:
            return
        if isinstance(message, TaskStateChanged) and message.error is not None:
            self._errors[message.task, message.attempt, message.reason] = message.error
