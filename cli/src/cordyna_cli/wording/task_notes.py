"""Task notes: the few words behind a task's line that say what it waits for, or what happened."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Final

from cordyna_cli.wording.foreign_text import one_line
from cordyna_cli.wording.format import duration, error_line, join_names, seconds_between
from cordyna_core.contract.reasons import reason_of
from cordyna_core.contract.views.runs import TaskView

EXPIRY: Final = "Timeout"
"""The type of the error of a clock of cerebro, which says no more than the reason."""

Tasks = Mapping[str, TaskView]
"""The tasks of a run by name."""


def task_note(task: TaskView, tasks: Tasks, now: datetime) -> str:
    """Return the note on `task`; empty where its state says it all."""
    note = _NOTES.get(task.reason or task.state)
    if note is not None:
        return note(task, tasks, now)
    words = reason_of(task.state, task.reason).note
    if words:
        has_more = task.error and task.error.message and task.error.type != EXPIRY
        error = f": {one_line(task.error.message)}" if task.error and has_more else ""
        attempt = f" (attempt {task.attempt})" if task.attempt > 1 else ""
        return f"{words}{attempt}{error}"
    return _error(task, tasks, now) if task.state == "error" else ""


def _waiting(task: TaskView, tasks: Tasks, _now: datetime) -> str:
    missing = [name for name in task.upstream if name in tasks and tasks[name].state != "completed"]
    return f"for {join_names(missing, 2)}" if missing else ""


def _blocked(task: TaskView, _tasks: Tasks, _now: datetime) -> str:
    return f"by {join_names(task.blocked_by, 2)}" if task.blocked_by else ""


def _dispatched(task: TaskView, _tasks: Tasks, now: datetime) -> str:
    return f"no answer yet{_time_left(task, now)}"


def _queued(task: TaskView, _tasks: Tasks, now: datetime) -> str:
    return f"the server is busy{_time_left(task, now)}"


def _retry_wait(task: TaskView, tasks: Tasks, now: datetime) -> str:
    when = (
        f" in {duration(seconds_between(now, task.deadline))}"
        if task.deadline is not None and task.deadline > now
        else ""
    )
    error = _error(task, tasks, now)
    return f"attempt {task.attempt + 1}{when}" + (f"; {error}" if error else "")


def _time_left(task: TaskView, now: datetime) -> str:
    return (
        f", {duration(seconds_between(now, task.deadline))} left"
        if task.deadline is not None and task.deadline > now
        else ""
    )


def _attempt(task: TaskView, _tasks: Tasks, _now: datetime) -> str:
    return f"attempt {task.attempt}" if task.attempt > 1 else ""


def _started(task: TaskView, tasks: Tasks, now: datetime) -> str:
    share = "" if task.progress is None else f"{task.progress:.0%}"
    words = " ".join(filter(None, (share, one_line(task.message or ""))))
    return "; ".join(filter(None, (_attempt(task, tasks, now), words)))


def _error(task: TaskView, _tasks: Tasks, _now: datetime) -> str:
    error = error_line(task.error) if task.error else ""
    return f"attempt {task.attempt}; {error}".removesuffix("; ") if task.attempt > 1 else error


_NOTES: Final[dict[str, Callable[[TaskView, Tasks, datetime], str]]] = {
    "waiting": _waiting,
    "blocked": _blocked,
    "dispatched": _dispatched,
    "retry_wait": _retry_wait,
    "queued": _queued,
    "started": _started,
    "completed": _attempt,
}
"""By the reason, else the state: the notes that depend on more than the reason."""
