"""Ending: how a run ended, what it gave, and what to type if that is not what was wanted."""

import json
from datetime import datetime
from typing import Final

from rich.text import Text

from cordyna_cli.render.layout.format import clean, listed, several, since, span
from cordyna_cli.render.layout.table import cut, wrapped
from cordyna_cli.render.run.notes import note_on
from cordyna_cli.render.run.phases import began, ended
from cordyna_cli.render.run.progress import board, progress_line
from cordyna_cli.render.run.tree import FOLDED_ABOVE, tree
from cordyna_core.contract.views.runs import RunView, TaskView

_ROOM: Final = 60
_OUTPUT_LINES: Final = 12
_CAUSES: Final = 8


def whole_run(view: RunView, now: datetime, width: int | None, *, everything: bool) -> list[Text]:
    """Its tree, folded on a terminal unless `everything` is asked for, and how it ended or stands."""
    whole = everything or width is None
    lines = tree(view, now, width, whole=whole)
    hint = []
    if not whole and len(view.tasks) > FOLDED_ABOVE:
        if len(lines) > _ROOM:
            lines = board(view, now, width, _ROOM)
        hint = [Text(f"  every task: dyna show {view.run_id} --all", style="dim")]
    return [*lines, *hint, Text(), *how_it_stands(view, now, width)]


def how_it_stands(view: RunView, now: datetime, width: int | None) -> list[Text]:
    """A few lines that say it without the tree."""
    if not view.is_final:
        return [
            _fit(progress_line(view, now), width),
            Text(f"  next: dyna watch {view.run_id}", style="cyan"),
        ]
    if view.state == "completed":
        return [_headline(view, now, "completed", "bold green"), *_output(view, width)]
    if view.cancelled:
        return [
            _headline(view, now, "was cancelled", "bold red"),
            Text(f"  next: dyna do {view.task}", style="cyan"),
        ]
    return [
        _headline(view, now, "ended in error", "bold red"),
        *(part for line in _causes(view, now) for part in wrapped(line, width)),
        *_nexts(view),
    ]


def _headline(view: RunView, now: datetime, words: str, style: str) -> Text:
    begun = began(view)
    after = f" in {span(since(begun, ended(view, now)))}" if begun else ""
    sign = "✓" if view.state == "completed" else "✗"
    return Text.assemble(
        (f"{sign} {view.task} {words}", style), after, (f"  run {view.run_id}", "dim")
    )


def _output(view: RunView, width: int | None) -> list[Text]:
    target = next((task for task in view.tasks if task.task == view.task), None)
    if target is None or target.output is None:
        return []
    flat = json.dumps(target.output, ensure_ascii=False)
    if width is None or len(flat) + 2 <= width:
        return [Text(f"  {clean(flat)}")]
    lines = [
        cut(Text(f"  {clean(line)}"), width)
        for line in json.dumps(target.output, ensure_ascii=False, indent=2).splitlines()
    ]
    if len(lines) <= _OUTPUT_LINES:
        return lines
    return [
        *lines[: _OUTPUT_LINES - 1],
        Text(
            f"  … {len(lines) - _OUTPUT_LINES + 1} more lines: dyna show {view.run_id} --json",
            style="dim",
        ),
    ]


def _causes(view: RunView, now: datetime) -> list[Text]:
    tasks = {task.task: task for task in view.tasks}
    lines = []
    for cause in view.root_causes[:_CAUSES]:
        owner = f"  owner {cause.owner}" if cause.owner else ""
        told = _told(tasks.get(cause.task), tasks, now)
        lines.append(
            Text.assemble(
                "  ",
                (cause.task, "bold"),
                f" on {cause.server}: {cause.reason}{told}",
                (owner, "dim"),
            )
        )
    if len(view.root_causes) > _CAUSES:
        lines.append(Text(f"  and {several(len(view.root_causes) - _CAUSES, 'task')} more failed"))
    blocked = [task.task for task in view.tasks if task.reason == "blocked"]
    if blocked:
        lines.append(Text(f"  blocked by that: {listed(blocked, 6)}", style="magenta"))
    return lines


def _told(task: TaskView | None, tasks: dict[str, TaskView], now: datetime) -> str:
    note = note_on(task, tasks, now) if task else ""
    return f", {note}" if note else ""


def _nexts(view: RunView) -> list[Text]:
    first = view.root_causes[0].task if view.root_causes else view.task
    raised = any(task.task == first and task.error and task.error.traceback for task in view.tasks)
    commands = {
        **({f"dyna why {view.run_id} {first}": "where it failed"} if raised else {}),
        f"dyna logs {view.run_id} {first}": "what it printed",
        f"dyna retry {view.run_id}": "once it is mended; what completed is kept",
    }
    room = max(map(len, commands)) + 3
    heads = ["  next: ", *["        "] * (len(commands) - 1)]
    return [
        Text.assemble((head + command.ljust(room), "cyan"), (meant, "dim"))
        for head, (command, meant) in zip(heads, commands.items(), strict=True)
    ]


def _fit(line: Text, width: int | None) -> Text:
    return line if width is None else cut(line, width)
