"""Notes: the few words behind a task's line that say what it waits for, or what happened."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Final

from cordyna_cli.render.layout.format import error_in_words, listed, since, span
from cordyna_core.contract.views.runs import TaskView

Tasks = Mapping[str, TaskView]


def note_on(task: TaskView, tasks: Tasks, now: datetime) -> str:
    """Nothing where its state says it all."""
    words = _NOTES.get(task.reason or task.state)
    if words is not None:
        return words(task, tasks, now)
    return _error(task, tasks, now) if task.state == "error" else ""


def _waiting(task: TaskView, tasks: Tasks, _now: datetime) -> str:
    missing = [name for name in task.upstream if name in tasks and tasks[name].state != "completed"]
    return f"for {listed(missing, 2)}" if missing else ""


def _blocked(task: TaskView, _tasks: Tasks, _now: datetime) -> str:
    return f"by {listed(task.blocked_by, 2)}" if task.blocked_by else ""


def _dispatched(task: TaskView, _tasks: Tasks, now: datetime) -> str:
    return f"no answer yet{_left(task, now)}"


def _queued(task: TaskView, _tasks: Tasks, now: datetime) -> str:
    return f"the server is busy{_left(task, now)}"


def _retry_wait(task: TaskView, tasks: Tasks, now: datetime) -> str:
    when = (
        f" in {span(since(now, task.deadline))}"
        if task.deadline is not None and task.deadline > now
        else ""
    )
    told = _error(task, tasks, now)
    return f"attempt {task.attempt + 1}{when}" + (f"; {told}" if told else "")


def _left(task: TaskView, now: datetime) -> str:
    return (
        f", {span(since(now, task.deadline))} left"
        if task.deadline is not None and task.deadline > now
        else ""
    )


def _attempt(task: TaskView, _tasks: Tasks, _now: datetime) -> str:
    return f"attempt {task.attempt}" if task.attempt > 1 else ""


def _error(task: TaskView, _tasks: Tasks, _now: datetime) -> str:
    told = error_in_words(task.error) if task.error else ""
    return f"attempt {task.attempt}; {told}".removesuffix("; ") if task.attempt > 1 else told


def _clock(words: str) -> Callable[[TaskView, Tasks, datetime], str]:
    return lambda task, _tasks, _now: (
        f"{words} (attempt {task.attempt})" if task.attempt > 1 else words
    )


_NOTES: Final[dict[str, Callable[[TaskView, Tasks, datetime], str]]] = {
    "waiting": _waiting,
    "blocked": _blocked,
    "dispatched": _dispatched,
    "retry_wait": _retry_wait,
    "queued": _queued,
    "started": _attempt,
    "completed": _attempt,
    "reused": lambda _task, _tasks, _now: "a fresh enough result",
    "ack_timeout": _clock("not acknowledged in time"),
    "start_timeout": _clock("queued, but not started in time"),
    "run_timeout": _clock("started, but not finished in time"),
}
