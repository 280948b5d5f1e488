"""Tree layout: a graph as a tree, each task once, where it is first reached.

Tasks that are reached again are only named, on one line.

Invariant: the traversal is iterative, so a chain of 100,000 tasks is laid out, too.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from rich.text import Text

from cordyna_cli.render.layout.paragraph import cut
from cordyna_cli.render.layout.table import Cell, Column, aligned_rows

_INDENT_LEVELS_MAX: Final = 16
"""Deeper branches are not indented further, so that a chain stays on the screen."""


@dataclass(slots=True)
class Branch:
    """One place in the tree; `again` names the tasks below it that are shown elsewhere."""

    name: str
    children: list["Branch"] = field(default_factory=list)
    again: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class PlacedTask:
    """One line: the lines of the tree that lead there, and a branch or the names in `again`."""

    prefix: str
    branch: Branch | None
    again: str = ""


def build_tree(roots: Iterable[str], upstream_of: Callable[[str], Sequence[str]]) -> list[Branch]:
    """Return the tree below each root, depth first in the order given."""
    seen: set[str] = set()
    trunk = Branch("")
    stack = [(trunk, root) for root in reversed(list(roots))]
    while stack:
        below, name = stack.pop()
        if name in seen:
            below.again.append(name)
            continue
        seen.add(name)
        branch = Branch(name)
        below.children.append(branch)
        stack.extend((branch, upstream) for upstream in reversed(upstream_of(name)))
    return trunk.children


def flatten(roots: Sequence[Branch]) -> list[PlacedTask]:
    """Return every line, from top to bottom."""
    lines: list[PlacedTask] = []
    stack: list[tuple[PlacedTask, str, int]] = [
        (PlacedTask("", root), "", 0) for root in reversed(roots)
    ]
    while stack:
        line, below, depth = stack.pop()
        lines.append(line)
        if line.branch is not None:
            stack.extend(reversed(list(_below(line.branch, below, depth))))
    return lines


def _below(branch: Branch, prefix: str, depth: int) -> Iterator[tuple[PlacedTask, str, int]]:
    lines = [(child, "") for child in branch.children] + (
        [(None, ", ".join(branch.again))] if branch.again else []
    )
    for left, (child, again) in zip(reversed(range(len(lines))), lines, strict=True):
        connector, guide = ("├─ ", "│  ") if left else ("└─ ", "   ")
        yield (
            PlacedTask(prefix + connector, child, again),
            prefix if depth >= _INDENT_LEVELS_MAX else prefix + guide,
            depth + 1,
        )


def render_lines(
    lines: Sequence[PlacedTask],
    columns: Sequence[Column],
    cells: Sequence[Sequence[Cell] | None],
    width: int | None,
) -> list[Text]:
    """Lines with cells are aligned; what has no room beside them goes below, inside the tree.

    Those without are outside the columns, so that many words do not push the others away.
    """
    placed = [(line, row) for line, row in zip(lines, cells, strict=True) if row is not None]
    indents = [Text(_guide(line), "dim") for line, _ in placed]
    rows = iter(aligned_rows(columns, [row for _, row in placed], width, indents=indents))
    return [
        text
        for line, row in zip(lines, cells, strict=True)
        for text in ([_unaligned(line, width)] if row is None else next(rows))
    ]


def _guide(line: PlacedTask) -> str:
    """Return what a line below this one begins with: the lines of the tree that pass it."""
    above = line.prefix.removesuffix("├─ ").removesuffix("└─ ")
    passing = "│  " if line.prefix.endswith("├─ ") else "   " if line.prefix else ""
    has_below = line.branch is not None and (line.branch.children or line.branch.again)
    return above + passing + ("│ " if has_below else "  ")


def _unaligned(line: PlacedTask, width: int | None) -> Text:
    text = Text(
        line.prefix + (line.branch.name if line.branch else f"{line.again} (see above)"),
        style="dim",
    )
    return text if width is None else cut(text, width)
