"""Progress: how far a run is, on one line; and what matters in it when its tree does not fit the screen."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import Final

from rich.text import Text

from cordyna_cli.render.layout.format import since, span
from cordyna_cli.render.layout.status_marks import RUN_SIGN, RUN_STYLE, mark_of
from cordyna_cli.render.layout.table import Column, aligned, cut
from cordyna_cli.render.run.phases import began, ended
from cordyna_cli.render.run.tree import task_row, tree
from cordyna_core.contract.views.runs import RunView, TaskView

_BAR: Final = 16
_AT_REST: Final = ("waiting", "completed", "reused", "blocked", "cancelled")
_BOARD: Final = (
    Column(yields=3),
    Column(yields=2),
    Column(),
    Column(align="right"),
    Column(yields=4),
)


def progress_line(view: RunView, now: datetime) -> Text:
    """`● task-3 running ━━━━━━──── 12/30 · 2 started · 1 error · 4.2 s`."""
    marks = [mark_of(task) for task in view.tasks]
    counts = Counter(mark.word for mark in marks)
    done = counts["completed"] + counts["reused"]
    style = RUN_STYLE[view.state]
    full = _BAR * done // max(len(marks), 1)
    line = Text.assemble(
        (RUN_SIGN[view.state], style), " ", (view.task, "bold"), " ", (view.state, style), "  "
    )
    line.append("━" * full, style="green").append("─" * (_BAR - full), style="dim").append(
        f"  {done}/{len(marks)}"
    )
    for mark in sorted(set(marks), key=lambda mark: mark.urgency):
        if mark.word not in ("completed", "reused"):
            line.append(" · ", style="dim").append(
                f"{counts[mark.word]} {mark.word}", style=mark.style
            )
    begun = began(view)
    if begun is not None:
        line.append(" · ", style="dim").append(span(since(begun, ended(view, now))))
    return line


def live(view: RunView, now: datetime, width: int, height: int) -> list[Text]:
    """The whole picture of a run that goes on, within the screen: its tree if that fits, else its board."""
    room = max(height - 3, 4)
    lines = tree(view, now, width, whole=len(view.tasks) <= room, spin=True)
    if len(lines) > room:
        lines = board(view, now, width, room)
    return [cut(progress_line(view, now), width), *lines]


def board(view: RunView, now: datetime, width: int | None, room: int) -> list[Text]:
    """What a person on call looks for, the most urgent first: what failed, what is tried again, what runs."""
    tasks = {task.task: task for task in view.tasks}
    moving = sorted(
        (task for task in view.tasks if mark_of(task).word not in _AT_REST),
        key=lambda task: mark_of(task).urgency,
    )
    shown = moving if len(moving) <= room else moving[: room - 1]
    lines = aligned(
        _BOARD, [task_row(task, tasks, now, spin=not view.is_final) for task in shown], width
    )
    if len(shown) < len(moving):
        lines.append(Text(f"… and {_counted(moving[len(shown) :])}", style="dim italic"))
    return lines


def _counted(tasks: Sequence[TaskView]) -> str:
    counts = Counter(mark_of(task).word for task in tasks)
    return ", ".join(f"{count} {word}" for word, count in counts.most_common()) + " more"
