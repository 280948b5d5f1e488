"""Timeline: a run over time, one row a task; each phase has a pattern, to be read without colour.

Invariant: every phase has at least one column, however short it was. Of two phases in one column,
the running one is shown.
"""

import math
from collections.abc import Sequence
from datetime import datetime
from typing import Final

from rich.text import Text

from cordyna_cli.render.layout.table import Column, aligned_rows
from cordyna_cli.wording.format import duration
from cordyna_cli.wording.phases import (
    Phase,
    PhaseKind,
    attempt_duration,
    phases_of,
    run_ended_at,
    run_started_at,
)
from cordyna_cli.wording.status_marks import mark_of
from cordyna_core.contract.views.runs import RunView, TaskView

_PATTERNS: Final[dict[PhaseKind, tuple[str, str, str]]] = {
    "waiting": ("·", "dim", "waiting for upstream"),
    "retry_wait": ("~", "yellow", "waiting for a retry"),
    "dispatched": ("░", "cyan", "dispatched"),
    "queued": ("▒", "cyan", "queued"),
    "running": ("█", "blue", "running"),
}
"""Painted in this order, each over the ones before."""

_PIPED_BAR_COLUMNS: Final = 60
_BAR_COLUMNS_MIN: Final = 20
_TICK_COLUMNS: Final = 12
_STEPS_S: Final = (
    1,
    2,
    5,
    10,
    15,
    20,
    30,
    60,
    120,
    300,
    600,
    900,
    1800,
    3600,
    7200,
    10800,
    21600,
    43200,
    86400,
)
_LEFT: Final = (Column("task", yields=1), Column("server", yields=2, optional=True))


def timeline_chart(view: RunView, now: datetime, width: int | None = None) -> list[Text]:
    """Return a title with the axis, a row for each task in topological order, and the legend."""
    begin = run_started_at(view)
    if begin is None:
        return [Text("this run has no events yet", style="dim")]
    end = run_ended_at(view, now)
    total = max((end - begin).total_seconds(), 0.001)
    lefts, bar = _room(view, width)
    right = [_right(task, now) for task in view.tasks]
    lines = [*lefts[0][:-1], lefts[0][-1] + Text("  ") + Text(_axis(total, bar), style="dim")]
    for task, left, after in zip(view.tasks, lefts[1:], right, strict=True):
        lines += left[:-1]
        lines.append(
            left[-1]
            + Text("  ")
            + _bar(phases_of(task, begin, end), begin, total, bar)
            + Text("  ")
            + after
        )
    return [*lines, Text(), *_legend(width)]


def _room(view: RunView, width: int | None) -> tuple[list[list[Text]], int]:
    """The lines of each name, the last padded to one width; and the columns left for the bars."""
    rows = [(task.task, task.server) for task in view.tasks]
    after = 12
    if width is None:
        left = aligned_rows(_LEFT, rows)
        bar = _PIPED_BAR_COLUMNS
    else:
        room = max(width - after - _BAR_COLUMNS_MIN - 2, 14)
        left = aligned_rows(_LEFT, rows, room, around=width)
        # The bar of a name that has lines of its own is below them.
        left = [[*lines, Text()] if lines[-1].cell_len > room else lines for lines in left]
        used = max(lines[-1].cell_len for lines in left)
        bar = max(width - after - 2 - used, _BAR_COLUMNS_MIN)
    most = max(lines[-1].cell_len for lines in left)
    for lines in left:
        lines[-1].pad_right(most - lines[-1].cell_len)
    return left, bar


def _right(task: TaskView, now: datetime) -> Text:
    mark, seconds = mark_of(task), attempt_duration(task, now)
    beside = mark.word if task.reason == "reused" else "" if seconds is None else duration(seconds)
    return Text.assemble((mark.sign, mark.style), f" {beside}".rstrip())


def _bar(phases: Sequence[Phase], begin: datetime, total: float, bar: int) -> Text:
    cells: list[PhaseKind | None] = [None] * bar
    for kind in _PATTERNS:
        for phase in phases:
            if phase.kind == kind:
                first = min(int((phase.begin - begin).total_seconds() / total * bar), bar - 1)
                last = max(round((phase.end - begin).total_seconds() / total * bar), first + 1)
                cells[max(first, 0) : last] = [kind] * (min(last, bar) - max(first, 0))
    line = Text()
    for cell in cells:
        if cell is None:
            line.append(" ")
        else:
            sign, style, _ = _PATTERNS[cell]
            line.append(sign, style=style)
    return line


def _axis(total: float, bar: int) -> str:
    """`|0      |1 s    |2 s`: a mark at every round step that leaves room for its words."""
    step = _step(total * _TICK_COLUMNS / bar)
    axis = [" "] * bar
    for tick in range(math.floor(total / step) + 1):
        at = int(tick * step / total * bar)
        label = f"|{_tick(tick * step, step)}"
        if at + len(label) <= bar:
            axis[at : at + len(label)] = label
    return "".join(axis).rstrip()


def _step(least: float) -> float:
    """Return the smallest round step of at least `least` seconds."""
    if least < 1:
        power = 10.0 ** math.floor(math.log10(least))
        return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= least * 0.999)
    return next(
        (float(step) for step in _STEPS_S if step >= least), math.ceil(least / 86400) * 86400.0
    )


def _tick(seconds: float, step: float) -> str:
    if step < 0.1:
        return f"{seconds * 1000:.0f} ms"
    if step < 1:
        return f"{seconds:.1f} s"
    if seconds == 0:
        return "0"
    return f"{seconds:.0f} s" if seconds < 60 else _long_tick(seconds)


def _long_tick(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes:02d}"
    return f"{minutes} m {rest:02d}" if rest else f"{minutes} m"


def _legend(width: int | None) -> list[Text]:
    lines = [Text()]
    for sign, style, words in _PATTERNS.values():
        entry = Text.assemble((f"{sign * 2} ", style), (f"{words}   ", "dim"))
        if width is not None and lines[-1].cell_len + entry.cell_len - 3 > width:
            lines.append(Text())
        lines[-1].append_text(entry)
    for line in lines:
        line.rstrip()
    return lines
