"""Deciders: which inputs decided what cerebro publishes about runs and task runs.

Invariant: only an input that decided something publishes it, when it is delivered first or again.
Any other one may be late, and what it publishes may have been healed since.
"""

from collections import defaultdict

from cerebro.core.effects import WriteTask
from cerebro.core.model.run import Run
from cordyna_core.contract.base import Message
from cordyna_core.contract.ids import CEREBRO, derived_id
from cordyna_core.contract.state_updates import RunStateChanged, TaskStateChanged


class Deciders:
    """The keys of the inputs that decided each state of a run, and anything of each attempt."""

    def __init__(self) -> None:
        self._of_state: defaultdict[str, set[str]] = defaultdict(set)
        """By the id of the message that publishes the state."""
        self._of_attempt: defaultdict[tuple[str, str, int], set[str]] = defaultdict(set)

    def run_written(self, run: Run, key: str) -> None:
        """Note what the input `key` made of a run."""
        if run.status == "cancelled":
            return  # every CancelRun is answered with it
        states = {run.status, "failing"} if run.failing else {run.status}
        for state in states:
            self._of_state[derived_id("RunStateChanged", run.id, state, run.rev)].add(key)

    def task_written(self, effect: WriteTask, task: str, key: str) -> None:
        """Note what the input `key` decided about a task run."""
        known = len(effect.seen.timeline) if effect.seen else 0
        for entry in effect.new.timeline[known:]:
            if entry.by == CEREBRO:
                self._of_attempt[effect.run_id, task, entry.attempt].add(key)

    def wrongly_published(self, message: Message, key: str) -> str | None:
        """Return what is wrong with a message that the input `key` publishes."""
        if isinstance(message, RunStateChanged) and message.meta is not None:
            # An answer to a command has another id.
            keys = self._of_state.get(message.meta.id or "")
            if keys is not None and key not in keys:
                return f"the run was published as {message.state} by an input that decided nothing"
        if isinstance(message, TaskStateChanged):
            attempt = (message.run_id, message.task, message.attempt)
            if key not in self._of_attempt[attempt]:
                what = f"{message.state} ({message.reason})"
                return f"{message.task}: {what} was published by an input that decided nothing"
        return None
