"""Task progress: what running tasks report of themselves, read from the events of a run.

Invariant: progress is shown only; it never decides anything. It is not part of a run's facts.
"""

from cordyna_cli.engine import Engine
from cordyna_core.contract.envelope import MalformedEvent, open_envelope
from cordyna_core.contract.state_updates import TaskStateChanged
from cordyna_core.contract.views.runs import PassedEvent, RunView

_MARKERS = ('"progress"', '"message"')
"""Only events with one of them are read whole."""


class TaskProgress:
    """The last progress of each task of a run. Reading again reads only later events."""

    def __init__(self, run_id: str) -> None:
        self._run_id, self._after = run_id, 0
        self._updates: dict[tuple[str, int], TaskStateChanged] = {}

    def added_to(self, view: RunView, engine: Engine) -> RunView:
        """Return the view with the progress of its running tasks.

        Raises what `Engine.events` raises.
        """
        if not engine.has_live_events or not any(task.state == "started" for task in view.tasks):
            return view
        for event in engine.events(self._run_id, after=self._after):
            self._after = event.seq
            self._read(event)
        tasks = [
            task.model_copy(update={"progress": update.progress, "message": update.message})
            if task.state == "started" and (update := self._updates.get((task.task, task.attempt)))
            else task
            for task in view.tasks
        ]
        return view.model_copy(update={"tasks": tasks})

    def _read(self, event: PassedEvent) -> None:
        if not any(marker in event.text for marker in _MARKERS):
            return
        try:
            message = open_envelope(event.text).message
        except MalformedEvent:
            return
        if not isinstance(message, TaskStateChanged) or message.state != "started":
            return
        key = (message.task, message.attempt)
        before = self._updates.get(key)
        if before is not None:
            # A report of one of the two leaves the other as it was.
            kept = {
                name: value
                for name in ("progress", "message")
                if getattr(message, name) is None and (value := getattr(before, name)) is not None
            }
            message = message.model_copy(update=kept)
        self._updates[key] = message
