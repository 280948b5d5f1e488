"""Accepted outputs: what each task run returned, as its server reported it.

Invariant: a task that a rerun made wait keeps its last output until it completes again. A handler
that was paused may still send that one; a command without it was sent too early.
"""

from typing import Any

from cerebro.core.effects import WriteTask
from cerebro.core.model.plan import PlannedTask
from cerebro.core.model.task_run import Rank
from cordyna_core.contract.envelope import Envelope
from cordyna_core.contract.state_updates import TaskStateChanged


class AcceptedOutputs:
    """The outputs of all task runs."""

    def __init__(self) -> None:
        self.last: dict[tuple[str, int], Any] = {}
        """The output of each task run that completed, by (run, index)."""
        self._made: dict[tuple[str, int, float], Any] = {}
        """The outputs by (run, index, dispatched_at), which no rerun changes."""
        self._waiting: set[tuple[str, int]] = set()
        """What a rerun made wait, and did not complete since."""

    def task_written(self, task: PlannedTask, effect: WriteTask, message: Any) -> None:
        """Note the output that a write accepts, if it does. `message`: what its handler handles."""
        key = effect.run_id, effect.index
        if effect.new.rank == Rank.WAITING:
            self._waiting.add(key)
        is_known = key in self.last and key not in self._waiting
        if effect.new.rank != Rank.COMPLETED or is_known:
            return
        self._waiting.discard(key)
        if task.reuses is not None:
            made_by = task.reuses.run_id, task.reuses.index, task.reuses.dispatched_at
            self.last[key] = self._made[made_by]
        elif task.is_join:
            self.last[key] = None
        elif isinstance(message, Envelope) and isinstance(message.message, TaskStateChanged):
            self.last[key] = message.message.output
        if key in self.last:
            self._made[*key, effect.new.dispatched_at] = self.last[key]
