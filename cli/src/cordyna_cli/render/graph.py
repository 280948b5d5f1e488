"""Graph: all declared tasks as trees, as a mermaid chart, or as JSON.

Invariant: a task that is needed but not declared is shown, and marked as such.
"""

import json
from collections.abc import Sequence
from typing import Final

from rich.text import Text

from cordyna_cli.render.layout.table import Cell, Column
from cordyna_cli.render.layout.tree_layout import PlacedTask, build_tree, flatten, render_lines
from cordyna_cli.render.lists import cron_words
from cordyna_core.contract.views.graph import TaskInfo

_COLUMNS: Final = (Column(yields=1), Column(yields=2, prose="cut"), Column(yields=3))
_UNDECLARED: Final = "not declared"


def graph_tree(tasks: Sequence[TaskInfo], width: int | None = None) -> list[Text]:
    """Return a tree for each task that no other needs."""
    known = {info.task: info for info in tasks}
    needed = {name for info in tasks for name in info.upstream}
    roots = [info.task for info in tasks if info.task not in needed]
    trees = build_tree(roots, lambda name: known[name].upstream if name in known else ())
    lines = flatten(trees)
    return render_lines(lines, _COLUMNS, [_cells(line, known) for line in lines], width)


def graph_mermaid(tasks: Sequence[TaskInfo]) -> str:
    """Return a flowchart, a box for each server."""
    names = dict.fromkeys(name for info in tasks for name in (info.task, *info.upstream))
    ids = {name: f"t{at}" for at, name in enumerate(names)}
    lines = ["flowchart LR"]
    for at, server in enumerate(dict.fromkeys(info.server for info in tasks)):
        lines.append(f'  subgraph s{at}["{server}"]')
        lines += [f'    {ids[info.task]}["{info.task}"]' for info in tasks if info.server == server]
        lines.append("  end")
    unresolved = dict.fromkeys(name for info in tasks for name in info.unresolved)
    lines += [f'  {ids[name]}["{name} ({_UNDECLARED})"]' for name in unresolved]
    lines += [f"  {ids[name]} --> {ids[info.task]}" for info in tasks for name in info.upstream]
    return "\n".join(lines)


def graph_json(tasks: Sequence[TaskInfo]) -> str:
    """Return one object; the names are those of `plan --json`."""
    rows = [
        {
            "task": info.task,
            "server": info.server,
            "upstream": info.upstream,
            "unresolved": info.unresolved,
        }
        for info in tasks
    ]
    return json.dumps({"tasks": rows}, ensure_ascii=False)


def closure(tasks: Sequence[TaskInfo], target: str) -> list[TaskInfo]:
    """Return `target` with everything upstream of it."""
    known = {info.task: info for info in tasks}
    members, waiting = set[str](), [target]
    while waiting:
        name = waiting.pop()
        if name in known and name not in members:
            members.add(name)
            waiting.extend(known[name].upstream)
    return [info for info in tasks if info.task in members]


def _cells(line: PlacedTask, known: dict[str, TaskInfo]) -> tuple[Cell, Cell, Cell] | None:
    if line.branch is None:
        return None
    name = Text.assemble((line.prefix, "dim"), (line.branch.name, "bold"))
    info = known.get(line.branch.name)
    if info is None:
        return name, Text(_UNDECLARED, style="bold red"), ""
    cron = f"cron {cron_words(info)}" if info.cron else ""
    return name, Text(info.server, style="dim"), Text(cron, style="dim")
