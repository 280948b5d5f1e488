"""Full reason: why a run or a task is as it is, with what only its events and its log contain."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from cordyna_cli.engine import Engine
from cordyna_cli.wording.foreign_text import one_line
from cordyna_cli.wording.next_steps import NextStep
from cordyna_cli.wording.refused_invocations import refused_invocations
from cordyna_cli.wording.run_history import run_history
from cordyna_cli.wording.why import Why, why_run, why_task, without_printed_lines
from cordyna_core.contract.views.runs import PassedEvent, RunView, TaskView
from cordyna_core.errors import ServiceError


def reason_with_log(engine: Engine, view: RunView, task: TaskView | None, now: datetime) -> Why:
    """Return the reason of `task`, or of the run; it names no log that is empty."""
    reason = why_run(view, now) if task is None else why_task(view, task, now)
    if _is_known_to_be_silent(engine, reason.next_step):
        return without_printed_lines(reason)
    return reason


def reason_with_events(engine: Engine, view: RunView, task: TaskView | None, now: datetime) -> Why:
    """Return `reason_with_log`, and who cancelled it, which attempts failed, what was refused.

    It reads all events of the run.
    """
    reason = reason_with_log(engine, view, task, now)
    passed = _events_of(engine, view.run_id)
    refused = refused_invocations(passed, None if task is None else task.task)
    beside = (*run_history(passed, view, task, now), *refused)
    return replace(reason, details=(*reason.details, *map(one_line, beside)))


def _is_known_to_be_silent(engine: Engine, step: NextStep) -> bool:
    """Whether `dyna logs` would show nothing. A log in the cloud is late, and slow to read."""
    if step.do != "logs" or step.run is None or not engine.has_live_events:
        return False
    return next(iter(engine.iter_logs(step.run, step.task)), None) is None


def _events_of(engine: Engine, run_id: str) -> Sequence[PassedEvent]:
    try:
        return engine.events(run_id)
    except ServiceError:  # a bus without a log: what cerebro knows is shown without it
        return ()
