"""Live progress: a run while it is live: a moving tree on a terminal, else a line for each change.

Invariant: only this writes to the screen meanwhile. What tasks print is captured by the engine, so
the tree is never torn.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from itertools import zip_longest
from types import TracebackType
from typing import Final, Self

from rich.live import Live
from rich.text import Text

from cordyna_cli.attempt_errors import AttemptErrors
from cordyna_cli.output.screen import Screen
from cordyna_cli.render.run.progress import live_picture
from cordyna_cli.wording.format import error_line, plural, time_of_day
from cordyna_cli.wording.phases import timeline_in_order
from cordyna_core.contract.base import ErrorDescription
from cordyna_core.contract.views.runs import RunView, TaskView, TimelineEntryView

_LARGE_RUN_TASKS: Final = 1000
_FRAMES_PER_S: Final = 10
_FRAMES_PER_S_OF_LARGE_RUN: Final = 2


class LiveTree:
    """A tree that is drawn again several times a second, however often the run changes.

    With `stays`, the last picture remains on the screen.
    """

    def __init__(self, screen: Screen, now: Callable[[], datetime], *, stays: bool) -> None:
        self._screen, self._now, self._stays = screen, now, stays
        self._view: RunView | None = None
        self._live: Live | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._live is not None:
            self._live.stop()

    def show(self, view: RunView) -> None:
        """Draw this view from now on."""
        self._view = view
        if self._live is None:
            is_large = len(view.tasks) > _LARGE_RUN_TASKS
            self._live = Live(
                console=self._screen.console,
                get_renderable=self._frame,
                refresh_per_second=_FRAMES_PER_S_OF_LARGE_RUN if is_large else _FRAMES_PER_S,
                transient=not self._stays,
                # The engine captures what tasks print in this process; rich would take it away.
                redirect_stdout=False,
                redirect_stderr=False,
            )
            self._live.start(refresh=True)

    def _frame(self) -> Text:
        console = self._screen.console
        lines = (
            live_picture(self._view, self._now(), console.width, console.height)
            if self._view
            else []
        )
        return Text("\n", no_wrap=True, overflow="crop").join(lines)


class ProgressLines:
    """A line for each new entry of a timeline. `before`: a view whose entries are not new."""

    def __init__(
        self, screen: Screen, errors: AttemptErrors, before: RunView | None = None
    ) -> None:
        self._screen, self._errors = screen, errors
        self._shown: set[tuple[str, int, str, str | None]] = set()
        self._has_begun = False
        self._tasks: Sequence[TaskView] = ()
        for task in before.tasks if before is not None else ():
            for entry in task.timeline:
                self._is_new(task, entry)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._screen.stream.flush()

    def show(self, view: RunView) -> None:
        """Print what is new in this view."""
        if not self._has_begun:
            self._has_begun = True
            tasks = plural(len(view.tasks), "task")
            servers = plural(len({task.server for task in view.tasks}), "server")
            self._screen.print([f"run {view.run_id}: {view.task}, {tasks} on {servers}"])
        # The engine keeps the view of a task that has not changed: it has nothing new.
        changed = [
            task
            for task, last in zip_longest(view.tasks, self._tasks)
            if task is not None and task is not last
        ]
        self._tasks = view.tasks
        changes = [
            (entry, task)
            for task in changed
            for entry in timeline_in_order(task)
            if self._is_new(task, entry)
        ]
        changes.sort(key=lambda change: change[0].at)
        lines = [self._change_line(entry, task, view) for entry, task in changes]
        self._screen.print(lines)

    def _is_new(self, task: TaskView, entry: TimelineEntryView) -> bool:
        key = (task.task, entry.attempt, entry.state, entry.reason)
        if key in self._shown:
            return False
        self._shown.add(key)
        return True

    def _change_line(self, entry: TimelineEntryView, task: TaskView, view: RunView) -> str:
        reason = f" {entry.reason}" if entry.reason else ""
        attempt = f" (attempt {entry.attempt})" if entry.attempt > 1 else ""
        error = self._error(entry, task, view)
        cause = f": {error_line(error)}" if error is not None else ""
        return (
            f"{time_of_day(entry.at)} {task.task} on {task.server}: "
            f"{entry.state}{reason}{attempt}{cause}"
        )

    def _error(
        self, entry: TimelineEntryView, task: TaskView, view: RunView
    ) -> ErrorDescription | None:
        if entry.state != "error":
            return None
        if entry.attempt == task.attempt and task.error is not None:
            return task.error
        return self._errors.of(task.task, entry, run_has_ended=view.is_final)
