"""Run history: what only the events of a run contain: failed earlier attempts, and who cancelled.

Invariant: an event that cannot be read adds nothing, and raises nothing.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Final, TypeVar

from cordyna_cli.wording.format import ago, error_line, join_names, moment, plural
from cordyna_cli.wording.senders import named_sender
from cordyna_core.contract.base import Message
from cordyna_core.contract.commands import CancelRun
from cordyna_core.contract.envelope import Envelope, MalformedEvent, open_envelope
from cordyna_core.contract.state_updates import RunStateChanged, TaskStateChanged
from cordyna_core.contract.views.runs import PassedEvent, RunView, TaskView

_ATTEMPTS_MAX: Final = 5
_TASKS_MAX: Final = 5

M = TypeVar("M", bound=Message)
Failures = dict[int, Envelope]
"""The errors of one task run, by attempt."""


def run_history(
    events: Sequence[PassedEvent], view: RunView, task: TaskView | None, now: datetime
) -> tuple[str, ...]:
    """Return a sentence for each earlier attempt of `task` that failed, and for who cancelled it.

    Without `task`, of the run: of a completed one, the tasks that needed several attempts.
    """
    if task is not None:
        attempts = _earlier_attempts(_failures(events).get(task.task, {}), task, now)
        return (*attempts, *(_cancellation(events, now) if task.reason == "cancelled" else ()))
    if view.cancelled:
        return tuple(_cancellation(events, now))
    return tuple(_retried_tasks(events, view)) if view.state == "completed" else ()


def _earlier_attempts(failures: Failures, task: TaskView, now: datetime) -> Iterator[str]:
    earlier = _before_last(failures, task)
    if len(earlier) > _ATTEMPTS_MAX:
        yield f"{plural(len(earlier) - _ATTEMPTS_MAX, 'attempt')} ended in error before these"
    for attempt, envelope in earlier[-_ATTEMPTS_MAX:]:
        when = moment(envelope.sent_at, now)
        yield f"attempt {attempt} ended in error at {when}: {_cause(envelope)}"


def _before_last(failures: Failures, task: TaskView) -> list[tuple[int, Envelope]]:
    """Return the failures that the state of the task does not show, the oldest first."""
    # A completion after an error by a clock replaced that error.
    last = task.attempt if task.state == "completed" else task.attempt - 1
    return sorted((attempt, failed) for attempt, failed in failures.items() if attempt <= last)


def _retried_tasks(events: Sequence[PassedEvent], view: RunView) -> Iterator[str]:
    retried = [task for task in view.tasks if task.attempt > 1]
    failures = _failures(events) if retried else {}
    for task in retried[:_TASKS_MAX]:
        earlier = _before_last(failures.get(task.task, {}), task)
        cause = f"; attempt {earlier[-1][0]}: {_cause(earlier[-1][1])}" if earlier else ""
        yield f"{task.task} completed in attempt {task.attempt}{cause}"
    if others := [task.task for task in retried[_TASKS_MAX:]]:
        yield f"more than one attempt, too: {join_names(others)}"


def _failures(events: Sequence[PassedEvent]) -> dict[str, Failures]:
    """Return the errors of all task runs; of several about one attempt, the last."""
    found: dict[str, Failures] = {}
    for envelope, message in _messages(events, TaskStateChanged, containing='"error"'):
        if message.state == "error":
            found.setdefault(message.task, {})[message.attempt] = envelope
    return found


def _cause(envelope: Envelope) -> str:
    message = envelope.message
    assert isinstance(message, TaskStateChanged)
    return error_line(message.error) if message.error else message.reason or "without a reason"


def _cancellation(events: Sequence[PassedEvent], now: datetime) -> Iterator[str]:
    """Yield the command that cancelled the run.

    That is the one that cerebro names as the cause of a state of the run, else the first one.
    """
    changed = _messages(events, RunStateChanged)
    causes = {message.meta.cause for _, message in changed if message.meta is not None}
    asked = list(_messages(events, CancelRun))
    applied = [(e, message) for e, message in asked if {e.id, message.command_id} & causes]
    for envelope, _ in (applied or asked)[:1]:
        who = named_sender(envelope.source) or "a client"
        at = envelope.sent_at
        yield f"cancelled by {who} at {moment(at, now)} ({ago(at, now)})"


def _messages(
    events: Sequence[PassedEvent], kind: type[M], containing: str = ""
) -> Iterator[tuple[Envelope, M]]:
    for event in events:
        # Most events of a run are something else, and reading them all would take long.
        if kind.__name__ not in event.text or containing not in event.text:
            continue
        try:
            envelope = open_envelope(event.text)
        except MalformedEvent:
            continue
        if isinstance(envelope.message, kind):
            yield envelope, envelope.message
