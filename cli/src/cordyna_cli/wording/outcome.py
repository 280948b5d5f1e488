"""Outcome: how a run ended, what failed in it, and what to do next."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

from cordyna_cli.wording.failures import failures
from cordyna_cli.wording.foreign_text import one_line
from cordyna_cli.wording.format import seconds_between
from cordyna_cli.wording.next_steps import NextStep, invoke_again
from cordyna_cli.wording.phases import run_ended_at, run_started_at
from cordyna_cli.wording.task_notes import task_note
from cordyna_core.contract.base import RootCause
from cordyna_core.contract.views.runs import RunView, TaskView

_CAUSES_MAX: Final = 8
_BODY_NOT_BEGUN: Final = ("ack_timeout", "start_timeout")
"""Other errors may come without a report of the start, although the body printed something."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FailedTask:
    """A root cause: `note` says what happened, in a few words."""

    task: str
    server: str
    owner: str | None
    reason: str
    note: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOutcome:
    """A run that ended: `causes` are the first root causes, `causes_omitted` counts the others."""

    verb: Literal[
        "completed", "was cancelled", "was cancelled after it ended in error", "ended in error"
    ]
    duration_s: float | None
    causes: tuple[FailedTask, ...] = ()
    causes_omitted: int = 0
    blocked: tuple[str, ...] = ()
    next_steps: tuple[NextStep, ...] = ()


def run_outcome(view: RunView, now: datetime) -> RunOutcome:
    """Return the outcome of a run that is final."""
    begin = run_started_at(view)
    took = None if begin is None else seconds_between(begin, run_ended_at(view, now))
    if view.state == "completed":
        return RunOutcome(verb="completed", duration_s=took)
    causes = failures(view)
    return RunOutcome(
        verb=_verb_of_error(view, causes),
        duration_s=took,
        causes=_described(causes[:_CAUSES_MAX], view, now),
        causes_omitted=max(len(causes) - _CAUSES_MAX, 0),
        blocked=tuple(task.task for task in view.tasks if task.reason == "blocked"),
        next_steps=_after_cancel(view, causes) if view.cancelled else _after_error(view),
    )


def _verb_of_error(
    view: RunView, causes: Sequence[RootCause]
) -> Literal["was cancelled", "was cancelled after it ended in error", "ended in error"]:
    """A cancellation that found nothing live came after the run had ended."""
    if not view.cancelled:
        return "ended in error"
    had_live = any(entry.reason == "cancelled" for task in view.tasks for entry in task.timeline)
    return "was cancelled" if had_live or not causes else "was cancelled after it ended in error"


def _described(causes: Sequence[RootCause], view: RunView, now: datetime) -> tuple[FailedTask, ...]:
    tasks = {task.task: task for task in view.tasks}
    return tuple(
        FailedTask(
            task=cause.task,
            server=cause.server,
            owner=one_line(cause.owner) if cause.owner else None,
            reason=cause.reason,
            note=task_note(tasks[cause.task], tasks, now) if cause.task in tasks else "",
        )
        for cause in causes
    )


def _after_cancel(view: RunView, causes: Sequence[RootCause]) -> tuple[NextStep, ...]:
    """A cancelled run cannot be retried, but invoked again."""
    again = invoke_again(view)
    if not causes:
        return (again,)
    return NextStep(do="why", run=view.run_id, task=causes[0].task, purpose="why it failed"), again


def _after_error(view: RunView) -> tuple[NextStep, ...]:
    first = view.root_causes[0].task if view.root_causes else view.task
    task = next((task for task in view.tasks if task.task == first), None)
    retry = NextStep(
        do="retry", run=view.run_id, purpose="once it is fixed; what completed is kept"
    )
    return *_explanations(view.run_id, first, task), retry


def _explanations(run_id: str, name: str, task: TaskView | None) -> Iterator[NextStep]:
    """Yield why it failed, unless its error is all that is known; its lines, if its body ran."""
    if task is not None and task.error is not None and task.error.traceback:
        yield NextStep(do="why", run=run_id, task=name, purpose="where it failed")
    elif task is not None and task.reason != "failed":
        yield NextStep(do="why", run=run_id, task=name, purpose="why it failed")
    if task is None or task.reason not in _BODY_NOT_BEGUN or _has_started(task):
        yield NextStep(do="logs", run=run_id, task=name, purpose="what it printed")


def _has_started(task: TaskView) -> bool:
    return any(entry.state == "started" for entry in task.timeline)
