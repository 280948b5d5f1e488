"""Progress: how far a run is, on one line; and what matters where its tree does not fit."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import Final

from rich.text import Text

from cordyna_cli.render.layout.paragraph import cut
from cordyna_cli.render.layout.table import aligned
from cordyna_cli.render.run.tree import TASK_COLUMNS, task_row, tree
from cordyna_cli.wording.format import duration
from cordyna_cli.wording.progress import run_progress
from cordyna_cli.wording.status_marks import mark_of, run_mark
from cordyna_core.contract.views.runs import RunView, TaskView

_BAR_COLUMNS: Final = 16
_BESIDE_TREE_LINES: Final = 3
"""Of the screen: the progress line, and room for the cursor and a message."""

_AT_REST: Final = ("waiting", "completed", "reused", "blocked", "cancelled")


def progress_line(view: RunView, now: datetime) -> Text:
    """Return `● task-3 running ━━━━━━──── 12/30 · 2 started · 1 error · 4.2 s`."""
    progress, mark = run_progress(view, now), run_mark(view)
    full = _BAR_COLUMNS * progress.done // max(progress.total, 1)
    line = Text.assemble(
        (mark.sign, mark.style), " ", (view.task, "bold"), " ", (mark.word, mark.style), "  "
    )
    line.append("━" * full, style="green").append("─" * (_BAR_COLUMNS - full), style="dim")
    line.append(f"  {progress.done}/{progress.total}")
    for task_mark, count in progress.unfinished:
        line.append(" · ", style="dim").append(f"{count} {task_mark.word}", style=task_mark.style)
    if progress.elapsed_s is not None:
        line.append(" · ", style="dim").append(duration(progress.elapsed_s))
    return line


def live_picture(view: RunView, now: datetime, width: int, height: int) -> list[Text]:
    """Return a live run within the screen.

    Its progress, and its tree if that fits, else what needs attention.
    """
    room = max(height - _BESIDE_TREE_LINES, 4)
    lines = tree(view, now, width, whole=len(view.tasks) <= room, spin=not view.is_final)
    if len(lines) > room:
        lines = attention_list(view, now, width, room)
    return [cut(progress_line(view, now), width), *lines]


def attention_list(view: RunView, now: datetime, width: int | None, room: int) -> list[Text]:
    """Return at most `room` tasks, the most urgent first: failed, waiting for a retry, running."""
    tasks = {task.task: task for task in view.tasks}
    moving = sorted(
        (task for task in view.tasks if mark_of(task).word not in _AT_REST),
        key=lambda task: mark_of(task).urgency,
    )
    shown = moving if len(moving) <= room else moving[: room - 1]
    rows = [task_row(task, tasks, now, spin=not view.is_final) for task in shown]
    lines = aligned(TASK_COLUMNS, rows, width)
    if len(lines) > room:
        # Names that are wider than the screen have lines of their own.
        lines = lines[: room - 1]
    if len(shown) < len(moving):
        rest = Text(f"… and {_counted(moving[len(shown) :])}", style="dim italic")
        lines.append(rest if width is None else cut(rest, width))
    return lines


def _counted(tasks: Sequence[TaskView]) -> str:
    counts = Counter(mark_of(task).word for task in tasks)
    return ", ".join(f"{count} {word}" for word, count in counts.most_common()) + " more"
