"""Why: the one reason why a run or a task is as it is, in a sentence, and the next command to type.

Law: what a task says of itself (`TaskView.why`, derived by cerebro) is not said again in other words; here it is put beside when, whose and
what to do.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from rich.text import Text

from cordyna_cli.render.layout.format import (
    ago,
    clean,
    listed,
    moment,
    one_line,
    several,
    since,
    span,
)
from cordyna_cli.render.layout.status_marks import RUN_SIGN, RUN_STYLE, mark_of
from cordyna_cli.render.layout.table import wrapped
from cordyna_cli.render.run.phases import began_its_attempt, said
from cordyna_core.contract.views.runs import RunView, TaskView

_MOST: Final = 5

_NEXT: Final[Mapping[str, str]] = {
    "waiting": "dyna why {run} {cause}",
    "blocked": "dyna why {run} {cause}",
    "dispatched": "dyna servers",
    "retry_wait": "dyna logs {run} {task}",
    "queued": "dyna watch {run}",
    "started": "dyna watch {run}",
    "completed": "dyna show {run}",
    "reused": "dyna do {task}   (runs it anew)",
    "failed": "dyna logs {run} {task}",
    "failed_terminal": "dyna logs {run} {task}",
    "ack_timeout": "dyna servers",
    "start_timeout": "dyna servers",
    "run_timeout": "dyna logs {run} {task}",
    "cancelled": "dyna do {target}",
    "refused": "dyna logs {run} {task}",
}
"""By the reason, else the state: what a person types next."""

_MENDED: Final = (
    "failed",
    "failed_terminal",
    "ack_timeout",
    "start_timeout",
    "run_timeout",
    "refused",
)


@dataclass(frozen=True, slots=True)
class Why:
    """The sentence, what to know beside it, what to type, and what then; `traceback`: where the body failed."""

    sentence: str
    beside: tuple[str, ...]
    next: str
    then: str = ""
    traceback: tuple[str, ...] = ()

    def lines(self, sign: tuple[str, str], width: int | None) -> list[Text]:
        """As a terminal shows it. What is to be typed is never broken, so that it can be copied."""
        lines = [
            Text.assemble(sign, " ", (self.sentence, "bold")),
            *(Text(f"  {line}") for line in self.beside),
        ]
        lines += [Text(f"    {clean(line)}", style="dim") for line in self.traceback]
        todo = [f"  next: {self.next}"] + ([f"  once mended: {self.then}"] if self.then else [])
        return [part for line in lines for part in wrapped(line, width)] + [
            Text(line, style="cyan") for line in todo
        ]


def why_task(view: RunView, task: TaskView, now: datetime) -> Why:
    """Why one task run is as it is."""
    tasks = {one.task: one for one in view.tasks}
    cause = _cause(task, tasks)
    key = task.reason if task.reason and task.reason in _NEXT else task.state
    template = _NEXT.get(key, "dyna show {run}")
    if "{cause}" in template and cause is None:
        template = "dyna watch {run}"
    todo = template.format(
        run=view.run_id, task=task.task, target=view.task, cause=cause.task if cause else ""
    )
    then = f"dyna retry {view.run_id}" if task.reason in _MENDED else ""
    sentence = task.why or f"{task.task} on {task.server} stands at {task.state}" + (
        f" ({task.reason})." if task.reason else "."
    )
    return Why(one_line(sentence), tuple(_beside(task, cause, now)), todo, then, _traceback(task))


def why_run(view: RunView, now: datetime) -> Why:
    """Why a run is as it is: its first root cause, else what it is waiting for."""
    tasks = {task.task: task for task in view.tasks}
    match view.state:
        case "completed":
            return Why(f"{view.task} completed: nothing is wrong.", (), f"dyna show {view.run_id}")
        case "error" if view.cancelled:
            return Why(f"{view.task} was cancelled.", (), f"dyna do {view.task}")
        case "error" | "failing" if view.root_causes:
            return _because_of(view, tasks, now)
        case _:
            return _still(view, tasks, now)


def _because_of(view: RunView, tasks: Mapping[str, TaskView], now: datetime) -> Why:
    first, *others = (cause.task for cause in view.root_causes)
    verb = "ended in error" if view.state == "error" else "is failing"
    if first not in tasks:
        return Why(
            f"{view.task} {verb}: {first} failed ({view.root_causes[0].reason}).",
            (),
            f"dyna show {view.run_id}",
        )
    reason = why_task(view, tasks[first], now)
    blocked = [task.task for task in view.tasks if task.reason == "blocked"]
    beside = [*reason.beside]
    if others:
        beside.append(f"{listed(others, _MOST)} failed too")
    if blocked:
        beside.append(f"{several(len(blocked), 'task')} blocked: {listed(blocked, _MOST)}")
    # Where it failed is long: it is shown to those who ask for that task.
    todo = f"dyna why {view.run_id} {first}" if reason.traceback else reason.next
    return Why(f"{view.task} {verb}: {reason.sentence}", tuple(beside), todo, reason.then)


def _still(view: RunView, tasks: Mapping[str, TaskView], now: datetime) -> Why:
    """What holds the target up: from it downwards along what is not completed, to the first task that something is done about."""
    held = tasks.get(view.task)
    if held is None:
        return Why(f"{view.task} is {view.state}.", (), f"dyna watch {view.run_id}")
    passed = {held.task}
    while held.reason in ("waiting", None) and held.state == "pending":
        cause = _cause(held, tasks)
        if cause is None or cause.task in passed:
            break
        passed.add(cause.task)
        held = cause
    reason = why_task(view, held, now)
    live = [task.task for task in view.tasks if task.state in ("queued", "started")]
    beside = (
        *reason.beside,
        *(
            (f"{several(len(live), 'task')} at work: {listed(live, _MOST)}",)
            if len(live) > 1
            else ()
        ),
    )
    return Why(f"{view.task} is {view.state}: {reason.sentence}", beside, reason.next, reason.then)


def why_lines(view: RunView, reason: Why, width: int | None = None) -> list[Text]:
    """The reason of a run, its sign in front."""
    return reason.lines((RUN_SIGN[view.state], RUN_STYLE[view.state]), width)


def why_task_lines(task: TaskView, reason: Why, width: int | None = None) -> list[Text]:
    """The reason of a task, its sign in front."""
    mark = mark_of(task)
    return reason.lines((mark.sign, mark.style), width)


def _cause(task: TaskView, tasks: Mapping[str, TaskView]) -> TaskView | None:
    """Another task that this one is held up by: what failed, else the upstream that is farthest from completed but moving."""
    named = [tasks[name] for name in task.blocked_by if name in tasks]
    missing = [
        tasks[name] for name in task.upstream if name in tasks and tasks[name].state != "completed"
    ]
    candidates: Sequence[TaskView] = named or sorted(missing, key=lambda one: mark_of(one).urgency)
    return candidates[0] if candidates else None


def _beside(task: TaskView, cause: TaskView | None, now: datetime) -> Iterator[str]:
    begun, entries = began_its_attempt(task), said(task)
    if task.state in ("started", "queued") or task.reason in ("dispatched", "retry_wait"):
        if entries:
            yield f"since {moment(entries[-1].at, now)} ({ago(entries[-1].at, now)})"
        if task.deadline is not None:
            yield f"{_WHEN.get(task.reason or task.state, 'the clock rings')} at {moment(task.deadline, now)} ({ago(task.deadline, now)})"
    elif begun is not None and task.reason != "reused":
        yield f"at {moment(entries[-1].at, now)}, {span((entries[-1].at - begun).total_seconds())} after it began"
    if cause is not None:
        yield (
            f"{cause.task} on {cause.server}: {cause.state}"
            + (f" ({cause.reason})" if cause.reason else "")
            + _for(cause, now)
        )
    owner = (
        (cause.owner if cause and task.reason == "blocked" else task.owner)
        if task.state == "error" or cause
        else None
    )
    if owner:
        yield f"owner: {owner}"


def _traceback(task: TaskView) -> tuple[str, ...]:
    told = task.error.traceback if task.state == "error" and task.error else None
    return tuple(told.splitlines()) if told else ()


_WHEN: Final = {
    "dispatched": "an error (ack_timeout) if it says nothing until then: the clock rings",
    "queued": "an error (start_timeout) if it does not start: the clock rings",
    "started": "an error (run_timeout) if it does not end: the clock rings",
    "retry_wait": "the next attempt is sent",
}


def _for(cause: TaskView, now: datetime) -> str:
    entries = said(cause)
    return (
        f" since {span(since(entries[-1].at, now))}"
        if entries and cause.state in ("queued", "started")
        else ""
    )
