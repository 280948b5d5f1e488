"""Published ids: what cerebro has published, by the ids of its messages, and what it has not.

Invariant: a state of a task that is published again is the same message, and two of its states
have two ids, because a reader drops what it knows by its id.
"""

from collections.abc import Mapping
from typing import Final

from cerebro.core.model.run import Run, RunSnapshot
from cerebro.core.model.task_run import FAILED_RANKS, STATE_OF, Rank, TaskRun
from cordyna_core.contract.base import Message
from cordyna_core.contract.commands import RunTask
from cordyna_core.contract.ids import CEREBRO, derived_id
from cordyna_core.contract.state_updates import TaskStateChanged

_CAUSE: Final = {"meta": {"cause"}}
"""What differs between two deliveries of a state: the input that published it."""


class PublishedIds:
    """The ids of all messages that cerebro published, with the states of tasks that they name."""

    def __init__(self) -> None:
        self._ids: set[str] = set()
        self._states: dict[str, TaskStateChanged] = {}
        self.sent: set[tuple[str, str, int]] = set()
        """(Run, task, attempt) of every command that was published."""

    def add(self, message: Message) -> str | None:
        """Note a message. Returns what is wrong with it."""
        if type(message) is RunTask:
            self.sent.add((message.run_id, message.task, message.attempt))
        if message.meta is None or message.meta.id is None:
            return None
        self._ids.add(message.meta.id)
        if isinstance(message, TaskStateChanged):
            first = self._states.setdefault(message.meta.id, message)
            if first is not message and _content(first) != _content(message):
                return f"two states of {message.task} have the id {message.meta.id}"
        return None

    def missing(
        self, snapshot: RunSnapshot, run: Run, ended_rev: int, facts: Mapping[int, TaskRun]
    ) -> str | None:
        """Return what of a run that is over was decided and is not published; None: nothing.

        `ended_rev`: `rev` of the run when it ended.
        """
        state = "completed" if run.status == "completed" else "error"
        if derived_id("RunStateChanged", run.id, state, ended_rev) not in self._ids:
            return f"the run is {run.status}, but that was not published"
        for index, fact in facts.items():
            name = snapshot.plan.tasks[index].name
            if not self._has_decision(run.id, name, fact):
                return f"{name} is {fact.reason}, but that was not published"
            was_cancelled = (
                fact.rank == Rank.CANCELLED and (run.id, name, fact.attempt) in self.sent
            )
            cancel_id = derived_id("CancelTask", run.id, name, fact.attempt)
            if was_cancelled and cancel_id not in self._ids:
                return f"{name} was sent and cancelled, but no CancelTask was published"
        return None

    def _has_decision(self, run_id: str, task: str, fact: TaskRun) -> bool:
        """Return whether what cerebro decided about a task run, if anything, is published."""
        is_decided = fact.rank in FAILED_RANKS or fact.rank == Rank.CANCELLED
        if not is_decided or fact.timeline[-1].by != CEREBRO:
            return True
        state, reason = STATE_OF[fact.rank], fact.reason or ""
        update_id = derived_id(
            "TaskStateChanged", "cerebro", run_id, task, fact.attempt, state, reason
        )
        return update_id in self._ids


def _content(message: TaskStateChanged) -> str:
    return message.model_dump_json(exclude=_CAUSE)
