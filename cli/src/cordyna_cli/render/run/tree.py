"""Tree: a run as a tree, its target on top and what each task needs below it; one line a task.

Invariant: folded, a tree shows the tasks in which something happens, up to a limit, and counts the
others.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final

from rich.text import Text

from cordyna_cli.render.layout.table import Column, goes_below
from cordyna_cli.render.layout.tree_layout import (
    Branch,
    PlacedTask,
    build_tree,
    flatten,
    render_lines,
)
from cordyna_cli.wording.format import duration, plural
from cordyna_cli.wording.phases import attempt_duration
from cordyna_cli.wording.status_marks import URGENCY, mark_of
from cordyna_cli.wording.task_notes import Tasks, task_note
from cordyna_core.contract.views.runs import RunView, TaskView

FOLDED_ABOVE: Final = 40
"""Tasks; a smaller tree is always shown whole."""

TASK_COLUMNS: Final = (
    Column(yields=1),
    Column(yields=2, optional=True),
    Column(),
    Column(align="right"),
    Column(yields=3, prose="cut"),
)

_SIBLINGS_MAX: Final = 8
_CHAIN_SHOWN_MAX: Final = 2
"""Quiet tasks in a chain that are shown rather than counted."""

_QUIET: Final = ("waiting", "blocked", "completed", "cancelled", "reused")
_SPINNER: Final = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"

Counts = dict[str, Counter[str]]
Row = tuple[Text, Text, Text, Text, Text]


def tree(
    view: RunView,
    now: datetime,
    width: int | None = None,
    *,
    whole: bool = True,
    spin: bool = False,
) -> list[Text]:
    """Return the lines of a run.

    With `whole`, each task has its line; else quiet tasks are folded. With `spin`, the sign of a
    running task turns.
    """
    tasks = {task.task: task for task in view.tasks}
    roots = _roots(view, tasks)
    if not whole and len(tasks) > FOLDED_ABOVE:
        roots = _folded(roots, tasks)
    lines = flatten(roots)
    cells = [_cells(line, tasks, now, spin=spin) for line in lines]
    if goes_below(TASK_COLUMNS, [row for row in cells if row is not None], width):
        cells = [
            _without_obvious_note(row, line, tasks) for line, row in zip(lines, cells, strict=True)
        ]
    return render_lines(lines, TASK_COLUMNS, cells, width)


def _cells(line: PlacedTask, tasks: Tasks, now: datetime, *, spin: bool) -> Row | None:
    """None for tasks that are shown above, and for a fold, which has words for a name."""
    task = tasks.get(line.branch.name) if line.branch else None
    return None if task is None else task_row(task, tasks, now, prefix=line.prefix, spin=spin)


def _without_obvious_note(row: Row | None, line: PlacedTask, tasks: Tasks) -> Row | None:
    """What a task waits for is seen in the tree: it is not worth a line of its own."""
    if row is None or line.branch is None:
        return row
    is_obvious = tasks[line.branch.name].reason in ("waiting", "blocked")
    return (*row[:-1], Text()) if is_obvious else row


def task_row(
    task: TaskView, tasks: Tasks, now: datetime, *, prefix: str = "", spin: bool = False
) -> Row:
    """Return the cells of one task's line."""
    mark = mark_of(task)
    sign = _spinner(now) if spin and task.state == "started" else mark.sign
    seconds = attempt_duration(task, now)
    name_style = "" if mark.style == "dim" else "bold"
    return (
        Text.assemble((prefix, "dim"), (sign, mark.style), " ", (task.task, name_style)),
        Text(task.server, style="dim"),
        Text(_state_words(task), style=mark.style),
        Text("" if seconds is None else duration(seconds)),
        Text(task_note(task, tasks, now), style="red" if task.state == "error" else "dim"),
    )


def _spinner(now: datetime) -> str:
    return _SPINNER[int(now.timestamp() * 10) % len(_SPINNER)]


def _state_words(task: TaskView) -> str:
    word = mark_of(task).word
    return f"error {task.reason}" if word == "error" and task.reason else word


def _roots(view: RunView, tasks: Tasks) -> list[Branch]:
    needed = {name for task in view.tasks for name in task.upstream}
    others = [
        task.task for task in view.tasks if task.task not in needed and task.task != view.task
    ]
    return build_tree(
        [view.task, *others],
        lambda name: [up for up in tasks[name].upstream if up in tasks] if name in tasks else (),
    )


def _folded(roots: Sequence[Branch], tasks: Tasks) -> list[Branch]:
    """Return a copy of the tree in which quiet tasks are counted where they would be."""
    counts = _counts(roots, tasks)
    shown = [Branch(root.name) for root in roots]
    stack = list(zip(roots, shown, strict=True))
    while stack:
        branch, copy = stack.pop()
        kept, hidden = _split_children(branch.children, counts)
        for child in kept:
            passed, below = _skip_quiet_chain(child, counts, tasks)
            parent = copy
            if len(passed) > _CHAIN_SHOWN_MAX:
                parent = Branch(_fold_words(passed))
                copy.children.append(parent)
            else:
                below = child
            parent.children.append(Branch(below.name))
            stack.append((below, parent.children[-1]))
        if hidden:
            copy.children.append(Branch(_fold_words([counts[child.name] for child in hidden])))
    return shown


def _split_children(
    children: Sequence[Branch], counts: Counts
) -> tuple[list[Branch], list[Branch]]:
    """Return the children to show, the most urgent where there are too many; and those to count."""
    loud = sorted(
        (child for child in children if not _is_quiet(counts[child.name])),
        key=lambda child: _urgency(counts[child.name]),
    )
    kept = set(map(id, loud[:_SIBLINGS_MAX]))
    hidden = [child for child in children if id(child) not in kept]
    if len(hidden) == 1 and counts[hidden[0].name].total() == 1:
        return list(children), []
    return [child for child in children if id(child) in kept], hidden


def _skip_quiet_chain(
    branch: Branch, counts: Counts, tasks: Tasks
) -> tuple[list[Counter[str]], Branch]:
    """Return the first task down a chain that is not quiet, or where the tree parts.

    And what was skipped.
    """
    skipped = []
    while (
        mark_of(tasks[branch.name]).word in _QUIET
        and len(below := branch.children) == 1
        and not _is_quiet(counts[below[0].name])
    ):
        skipped.append(Counter((mark_of(tasks[branch.name]).word,)))
        branch = below[0]
    return skipped, branch


def _counts(roots: Iterable[Branch], tasks: Tasks) -> Counts:
    """For each task, how many of each state are at and below its place in the tree."""
    counts: Counts = {}
    for branch in reversed([line.branch for line in flatten(list(roots)) if line.branch]):
        counts[branch.name] = sum(
            (counts[child.name] for child in branch.children),
            Counter((mark_of(tasks[branch.name]).word,)),
        )
    return counts


def _is_quiet(count: Counter[str]) -> bool:
    return all(word in _QUIET for word in count)


def _urgency(count: Counter[str]) -> int:
    return min(URGENCY[word] for word in count)


def _fold_words(hidden: Sequence[Counter[str]]) -> str:
    total: Counter[str] = sum(hidden, Counter())
    words = ", ".join(f"{count} {word}" for word, count in total.most_common())
    tasks = f"… {plural(total.total(), 'task')}"
    return f"{tasks}: {words}" if len(total) > 1 else f"{tasks} {words.split(' ', 1)[1]}"
