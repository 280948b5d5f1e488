"""Live: a run while it goes on: a tree that moves on a terminal, else a line for each change.

Law: only this writes to the screen meanwhile; what tasks print is the engine's to keep, so the tree is never torn.
"""

from collections.abc import Callable
from datetime import datetime
from types import TracebackType
from typing import Final, Self

from rich.live import Live
from rich.text import Text

from cordyna_cli.output.screen import Screen
from cordyna_cli.render.run.progress import live_picture
from cordyna_cli.wording.format import error_line, plural, time_of_day
from cordyna_cli.wording.phases import timeline_in_order
from cordyna_core.contract.views.runs import RunView, TaskView, TimelineEntryView

_LARGE: Final = 1000
_FRAMES_A_SECOND: Final = 10
_FRAMES_A_SECOND_OF_LARGE: Final = 2


class LiveTree:
    """Drawn again several times a second, however often the run changes.

    `stays`: the last picture remains on the screen.
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
        self._view = view
        if self._live is None:
            frames = _FRAMES_A_SECOND if len(view.tasks) <= _LARGE else _FRAMES_A_SECOND_OF_LARGE
            self._live = Live(
                console=self._screen.console,
                get_renderable=self._frame,
                refresh_per_second=frames,
                transient=not self._stays,
                # The engine captures what tasks print in this process; rich would take it away from
                # it.
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
    """A line when anything was said that was not known before."""

    def __init__(self, screen: Screen) -> None:
        self._screen = screen
        self._seen: set[tuple[str, int, str, str | None]] = set()
        self._begun = False

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
        if not self._begun:
            self._begun = True
            servers = {task.server for task in view.tasks}
            self._screen.print(
                [
                    f"run {view.run_id}: {view.task}, {plural(len(view.tasks), 'task')} on {plural(len(servers), 'server')}"
                ]
            )
        changes = [
            (entry, task)
            for task in view.tasks
            for entry in timeline_in_order(task)
            if self._is_news(task, entry)
        ]
        self._screen.print(
            _change(entry, task) for entry, task in sorted(changes, key=lambda change: change[0].at)
        )

    def _is_news(self, task: TaskView, entry: TimelineEntryView) -> bool:
        key = (task.task, entry.attempt, entry.state, entry.reason)
        if key in self._seen:
            return False
        self._seen.add(key)
        return True


def _change(entry: TimelineEntryView, task: TaskView) -> str:
    reason = f" {entry.reason}" if entry.reason else ""
    attempt = f" (attempt {entry.attempt})" if entry.attempt > 1 else ""
    told = (
        f": {error_line(task.error)}"
        if entry.state == "error" and task.error and entry.attempt == task.attempt
        else ""
    )
    return f"{time_of_day(entry.at)} {task.task} on {task.server}: {entry.state}{reason}{attempt}{told}"
