"""Table: rows of cells as aligned lines.

Invariant: with a width, no line is longer; without one, nothing is cut.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from rich.text import Text

_GAP_COLUMNS: Final = 2
_CELL_COLUMNS_MIN: Final = 6


@dataclass(frozen=True, slots=True)
class Column:
    """`yields` orders which column gives up room first: the highest number; 0 never does."""

    title: str = ""
    align: Literal["left", "right"] = "left"
    yields: int = 0


Cell = Text | str


def aligned(
    columns: Sequence[Column], rows: Sequence[Sequence[Cell]], width: int | None = None
) -> list[Text]:
    """A title line, if any column has a title, and a line for each row."""
    has_title = any(column.title for column in columns)
    titles = [[Text(column.title, style="bold dim") for column in columns]] if has_title else []
    cells = [
        *titles,
        *([cell if isinstance(cell, Text) else Text(cell) for cell in row] for row in rows),
    ]
    natural = [max((row[at].cell_len for row in cells), default=0) for at in range(len(columns))]
    widths = _fit_columns(columns, natural, width)
    lines = [_line(columns, row, widths) for row in cells]
    return lines if width is None else [cut(line, width) for line in lines]


def cut(text: Text, width: int) -> Text:
    """At most `width` columns of it, an ellipsis last when something is missing."""
    if text.cell_len <= width:
        return text
    shorter = text.copy()
    shorter.truncate(width, overflow="ellipsis")
    return shorter


def wrapped(line: Text, width: int | None) -> list[Text]:
    """A sentence on several lines, broken between words, later lines indented by two more."""
    indent = len(line.plain) - len(line.plain.lstrip()) + 2
    lines = []
    while width is not None and line.cell_len > width > indent + _CELL_COLUMNS_MIN:
        at = max(line.plain.rfind(" ", indent, width + 1), 0) or width
        head, tail = line.divide([at])
        lines.append(head)
        line = Text(" " * indent) + tail[len(tail.plain) - len(tail.plain.lstrip()) :]
    return [*lines, line]


def _fit_columns(columns: Sequence[Column], natural: Sequence[int], width: int | None) -> list[int]:
    """The natural width of each column, less what those give up that yield."""
    widths = list(natural)
    if width is None:
        return widths
    excess = sum(widths) + _GAP_COLUMNS * (len([used for used in widths if used]) - 1) - width
    yielding = [at for at, column in enumerate(columns) if column.yields]
    for at in sorted(yielding, key=lambda at: -columns[at].yields):
        if excess <= 0:
            break
        given_up = min(excess, max(widths[at] - _CELL_COLUMNS_MIN, 0))
        widths[at] -= given_up
        excess -= given_up
    return widths


def _line(columns: Sequence[Column], row: Sequence[Text], widths: Sequence[int]) -> Text:
    line = Text()
    for column, cell, width in zip(columns, row, widths, strict=True):
        if not width:
            continue
        if line.cell_len:
            line.append(" " * _GAP_COLUMNS)
        shown = cut(cell, width)
        padding = Text(" " * (width - shown.cell_len))
        line.append_text(padding + shown if column.align == "right" else shown + padding)
    line.rstrip()
    return line
