"""Reasons: why a run or a task is as it is, as data that a page can turn into buttons."""

from datetime import datetime

from cordyna_cli.wording.next_steps import NextStep
from cordyna_cli.wording.why import Why, why_run, why_task
from cordyna_console.models import NextAction, WhyAnswer
from cordyna_core.contract.views.runs import RunView, TaskView


def run_reason(view: RunView, now: datetime) -> WhyAnswer:
    """Return the reason of a run."""
    return _answer(why_run(view, now))


def task_reason(view: RunView, task: TaskView, now: datetime) -> WhyAnswer:
    """Return the reason of one task run."""
    return _answer(why_task(view, task, now))


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
        do=step.do, command=step.command, run=step.run, task=step.task, purpose=step.purpose
    )
