"""Why: the one reason why a run or a task is as it is: a sentence, details and the next step.

Invariant: the sentence about a task is the one that cerebro derived (`TaskView.why`); here it is
only put beside since when, whose it is and what to do.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from cordyna_cli.wording.failures import failures
from cordyna_cli.wording.foreign_text import one_line
from cordyna_cli.wording.format import (
    ago,
    compact_json,
    duration,
    join_names,
    moment,
    plural,
    seconds_between,
)
from cordyna_cli.wording.next_steps import NextStep, invoke_again, next_step_of
from cordyna_cli.wording.phases import attempt_started_at, timeline_in_order
from cordyna_cli.wording.status_marks import mark_of
from cordyna_core.contract.reasons import reason_of
from cordyna_core.contract.views.runs import MadeFrom, RunView, TaskView

Tasks = Mapping[str, TaskView]

_NAMES_MAX: Final = 5
_PARAMS_CHARS_MAX: Final = 200


@dataclass(frozen=True, slots=True)
class Why:
    """The sentence, details beside it, what to do next, and then.

    `retry_step` is what to do once the cause is fixed; `traceback` says where the body failed, a
    line each.
    """

    sentence: str
    details: tuple[str, ...]
    next_step: NextStep
    retry_step: NextStep | None = None
    traceback: tuple[str, ...] = ()


def why_task(view: RunView, task: TaskView, now: datetime) -> Why:
    """Return why one task run is as it is."""
    cause = _cause(task, {other.task: other for other in view.tasks})
    reason = reason_of(task.state, task.reason)
    state = f"{task.state} ({task.reason})" if task.reason else task.state
    return Why(
        one_line(task.why or f"{task.task} on {task.server} is in state {state}."),
        tuple(_details(task, cause, now)),
        next_step_of(reason.next_command, view, task, cause),
        _once_fixed(view) if reason.is_fixable else None,
        _traceback(task),
    )


def _once_fixed(view: RunView) -> NextStep:
    """A cancelled run cannot be retried, but invoked again."""
    if view.cancelled:
        return invoke_again(view)
    return NextStep(do="retry", run=view.run_id)


def without_printed_lines(why: Why) -> Why:
    """Return the reason where a next step would show lines, and the body printed none."""
    step = why.next_step
    if step.do != "logs":
        return why
    then = why.retry_step or NextStep(do="watch", run=step.run)
    if why.retry_step is not None:
        then = replace(then, purpose="once it is fixed")
    return replace(
        why, details=(*why.details, "it printed nothing"), next_step=then, retry_step=None
    )


def why_run(view: RunView, now: datetime) -> Why:
    """Return why a run is as it is: its first root cause, else what it is waiting for."""
    tasks = {task.task: task for task in view.tasks}
    match view.state:
        case "completed":
            return Why(f"{view.task} completed.", (), NextStep(do="show", run=view.run_id))
        case "error" if view.cancelled:
            return _why_cancelled(view, tasks, now)
        case "error" | "failing" if view.root_causes:
            return _why_failed(view, tasks, now)
        case _:
            return _why_live(view, tasks, now)


def _why_cancelled(view: RunView, tasks: Tasks, now: datetime) -> Why:
    failed = [cause.task for cause in failures(view)]
    again = invoke_again(view)
    if not failed or failed[0] not in tasks:
        return Why(f"{view.task} was cancelled.", (), again)
    reason = why_task(view, tasks[failed[0]], now)
    others = [f"{join_names(failed[1:], _NAMES_MAX)} failed too"] if failed[1:] else []
    details = (*reason.details, *others)
    sentence = f"{view.task} was cancelled; before that: {reason.sentence}"
    if not reason.traceback:
        return Why(sentence, details, invoke_again(view, "once it is fixed"))
    return Why(sentence, details, NextStep(do="why", run=view.run_id, task=failed[0]), again)


def _why_failed(view: RunView, tasks: Tasks, now: datetime) -> Why:
    first, *others = (cause.task for cause in view.root_causes)
    verb = "ended in error" if view.state == "error" else "is failing"
    if first not in tasks:
        return Why(
            f"{view.task} {verb}: {first} failed ({view.root_causes[0].reason}).",
            (),
            NextStep(do="show", run=view.run_id),
        )
    reason = why_task(view, tasks[first], now)
    blocked = [task.task for task in view.tasks if task.reason == "blocked"]
    details = [*reason.details]
    if others:
        details.append(f"{join_names(others, _NAMES_MAX)} failed too")
    if blocked:
        details.append(f"{plural(len(blocked), 'task')} blocked: {join_names(blocked, _NAMES_MAX)}")
    # A traceback is long: `why` of that task shows it.
    step = NextStep(do="why", run=view.run_id, task=first) if reason.traceback else reason.next_step
    return Why(f"{view.task} {verb}: {reason.sentence}", tuple(details), step, reason.retry_step)


def _why_live(view: RunView, tasks: Tasks, now: datetime) -> Why:
    """Follow waiting tasks from the target upstream, to the first that does not only wait."""
    held_up = tasks.get(view.task)
    if held_up is None:
        return Why(f"{view.task} is {view.state}.", (), NextStep(do="watch", run=view.run_id))
    visited = {held_up.task}
    while held_up.reason in ("waiting", None) and held_up.state == "pending":
        cause = _cause(held_up, tasks)
        if cause is None or cause.task in visited:
            break
        visited.add(cause.task)
        held_up = cause
    reason = why_task(view, held_up, now)
    live = [task.task for task in view.tasks if task.state in ("queued", "started")]
    others = [f"{plural(len(live), 'task')} at work: {join_names(live, _NAMES_MAX)}"]
    return Why(
        f"{view.task} is {view.state}: {reason.sentence}",
        (*reason.details, *(others if len(live) > 1 else ())),
        reason.next_step,
        reason.retry_step,
    )


def _cause(task: TaskView, tasks: Tasks) -> TaskView | None:
    """Return the task that holds this one up.

    What failed, else the upstream that needs attention first.
    """
    blockers = [tasks[name] for name in task.blocked_by if name in tasks]
    unfinished = [
        tasks[name] for name in task.upstream if name in tasks and tasks[name].state != "completed"
    ]
    candidates: Sequence[TaskView] = blockers or sorted(
        unfinished, key=lambda upstream: mark_of(upstream).urgency
    )
    return candidates[0] if candidates else None


def _details(task: TaskView, cause: TaskView | None, now: datetime) -> Iterator[str]:
    yield from _since(task, now)
    if task.made_from is not None:
        yield from _origin(task.made_from, now)
    if cause is not None:
        reason = f" ({cause.reason})" if cause.reason else ""
        yield f"{cause.task} on {cause.server}: {cause.state}{reason}{_in_state_for(cause, now)}"
    owner = cause.owner if cause is not None and task.reason == "blocked" else task.owner
    if owner and (task.state == "error" or cause is not None):
        yield f"owner: {one_line(owner)}"


def _origin(made_from: MadeFrom, now: datetime) -> Iterator[str]:
    """Yield what a reused result was made from; `dyna show --json` has all of it."""
    at = made_from.at
    yield f"made by run {made_from.run_id}, begun {moment(at, now)} ({ago(at, now)})"
    if made_from.params is None:
        yield "what it was made from is not stored any more"
        return
    params = one_line(compact_json(made_from.params)) if made_from.params else "no parameters"
    rest = " ..." if len(params) > _PARAMS_CHARS_MAX else ""
    yield f"made with {params[:_PARAMS_CHARS_MAX]}{rest}"
    versions = [f"{name} {version[:8]}" for name, version in (made_from.versions or {}).items()]
    yield f"declared as {join_names(versions, _NAMES_MAX)}"


def _since(task: TaskView, now: datetime) -> Iterator[str]:
    begin, entries = attempt_started_at(task), timeline_in_order(task)
    if task.state in ("started", "queued") or task.reason in ("dispatched", "retry_wait"):
        if entries:
            yield f"since {moment(entries[-1].at, now)} ({ago(entries[-1].at, now)})"
        if task.deadline is not None:
            event = reason_of(task.state, task.reason).at_deadline or "its clock ends"
            yield f"{event} at {moment(task.deadline, now)} ({ago(task.deadline, now)})"
    elif begin is not None and task.reason != "reused":
        took = duration(seconds_between(begin, entries[-1].at))
        yield f"at {moment(entries[-1].at, now)}, {took} after the attempt began"


def _in_state_for(task: TaskView, now: datetime) -> str:
    entries = timeline_in_order(task)
    if not entries or task.state not in ("queued", "started"):
        return ""
    return f" since {duration(seconds_between(entries[-1].at, now))}"


def _traceback(task: TaskView) -> tuple[str, ...]:
    text = task.error.traceback if task.state == "error" and task.error else None
    return tuple(text.splitlines()) if text else ()
