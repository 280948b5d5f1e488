"""Reasons: why a run or a task is as it is, as data that a page can turn into buttons."""

from dataclasses import replace
from datetime import datetime
from typing import Final

from cordyna_cli.full_reason import reason_with_events, reason_with_log
from cordyna_cli.wording.foreign_text import printable
from cordyna_cli.wording.next_steps import NextStep
from cordyna_cli.wording.why import Why, why_run, why_task
from cordyna_console.console import Console
from cordyna_console.models import NextAction, WhyAnswer
from cordyna_core.contract.base import ErrorDescription
from cordyna_core.contract.views.runs import RunView, TaskView

WHO_CANCELLED: Final = "who cancelled it is among its events"


def run_reason(console: Console, view: RunView, now: datetime) -> WhyAnswer:
    """Return the reason of a run."""
    if not console.has_cheap_events:
        return _answer(_where_named(why_run(view, now), is_cancelled=view.cancelled))
    # A page follows a live run, and all events of a large one are slow to read again and again.
    reason_of = reason_with_events if view.cancelled else reason_with_log
    return _answer(reason_of(console.engine, view, None, now))


def task_reason(console: Console, view: RunView, task: TaskView, now: datetime) -> WhyAnswer:
    """Return the reason of one task run."""
    if not console.has_cheap_events:
        is_cancelled = task.reason == "cancelled"
        return _answer(_where_named(why_task(view, task, now), is_cancelled=is_cancelled))
    reason_of = reason_with_events if task.reason == "cancelled" else reason_with_log
    return _answer(reason_of(console.engine, view, task, now))


def _where_named(why: Why, *, is_cancelled: bool) -> Why:
    """Add where it is named who cancelled the run, which only its events say."""
    return replace(why, details=(*why.details, WHO_CANCELLED)) if is_cancelled else why


def printable_error(error: ErrorDescription | None) -> ErrorDescription | None:
    """Return an error without control sequences: a page shows their characters as boxes."""
    if error is None:
        return None
    traceback = None if error.traceback is None else printable(error.traceback)
    return error.model_copy(update={"message": printable(error.message), "traceback": traceback})


def _answer(why: Why) -> WhyAnswer:
    return WhyAnswer(
        sentence=why.sentence,
        beside=list(why.details),
        next=_action(why.next_step),
        then=None if why.retry_step is None else _action(why.retry_step),
        traceback=list(why.traceback),
    )


def _action(step: NextStep) -> NextAction:
    return NextAction(
        do=step.do,
        command=step.command,
        run=step.run,
        task=step.task,
        purpose=step.purpose,
        params=step.params,
    )
