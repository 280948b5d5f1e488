"""Columns: rows of cells as aligned lines.

Law: with a width, no line is longer; without one, nothing is cut.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from rich.text import Text

_GAP: Final = 2
_LEAST: Final = 6


@dataclass(frozen=True, slots=True)
class Column:
    """`yields` orders who gives up room first: the highest number; 0 never does."""

    title: str = ""
    align: Literal["left", "right"] = "left"
    yields: int = 0


Cell = Text | str


def aligned(
    columns: Sequence[Column], rows: Sequence[Sequence[Cell]], width: int | None = None
) -> list[Text]:
    """A title line, if any column has a title, and a line for each row."""
    titled = (
        [[Text(column.title, style="bold dim") for column in columns]]
        if any(column.title for column in columns)
        else []
    )
    cells = [
        *titled,
        *([cell if isinstance(cell, Text) else Text(cell) for cell in row] for row in rows),
    ]
    natural = [max((row[at].cell_len for row in cells), default=0) for at in range(len(columns))]
    widths = fitted(columns, natural, width)
    lines = [_line(columns, row, widths) for row in cells]
    return lines if width is None else [cut(line, width) for line in lines]


def fitted(columns: Sequence[Column], natural: Sequence[int], width: int | None) -> list[int]:
    """The width of each column: natural, less what those give up that yield."""
    widths = list(natural)
    if width is None:
        return widths
    excess = sum(widths) + _GAP * (len([one for one in widths if one]) - 1) - width
    for at in sorted(
        (at for at, column in enumerate(columns) if column.yields),
        key=lambda at: -columns[at].yields,
    ):
        if excess <= 0:
            break
        given = min(excess, max(widths[at] - _LEAST, 0))
        widths[at] -= given
        excess -= given
    return widths


def cut(text: Text, width: int) -> Text:
    """At most `width` columns of it, an ellipsis last when something is missing."""
    if text.cell_len <= width:
        return text
    shorter = text.copy()
    shorter.truncate(width, overflow="ellipsis")
    return shorter


def wrapped(line: Text, width: int | None) -> list[Text]:
    """A sentence on as many lines as it needs, broken between words, the later lines indented by two more."""
    indent = len(line.plain) - len(line.plain.lstrip()) + 2
    lines = []
    while width is not None and line.cell_len > width > indent + _LEAST:
        at = max(line.plain.rfind(" ", indent, width + 1), 0) or width
        head, tail = line.divide([at])
        lines.append(head)
        line = Text(" " * indent) + tail[len(tail.plain) - len(tail.plain.lstrip()) :]
    return [*lines, line]


def _line(columns: Sequence[Column], row: Sequence[Text], widths: Sequence[int]) -> Text:
    line = Text()
    for column, cell, width in zip(columns, row, widths, strict=True):
        if not width:
            continue
        if line.cell_len:
            line.append(" " * _GAP)
        shown = cut(cell, width)
        padding = " " * (width - shown.cell_len)
        line.append_text(
            Text(padding) + shown if column.align == "right" else shown + Text(padding)
        )
    line.rstrip()
    return line
