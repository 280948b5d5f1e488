"""Table: rows of cells as aligned lines.

Invariant: with a width, no line is longer, and no word is broken that fits into a line. A name is
readable in full, or its whole column is left out. Without a width, nothing is cut.

A table that is too wide gives up room in this order: prose is wrapped or cut; columns are left out,
those that yield most first; names that still do not fit get a line of their own above their row.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from rich.text import Text

from cordyna_cli.render.layout.paragraph import (
    cut,
    cut_words,
    first_words_columns,
    widest_word,
    wrapped,
)

_GAP_COLUMNS: Final = 2
_NAME: Final = 1
_PROSE_COLUMNS_MIN: Final = 12


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table.

    `yields` orders which column is left out first where there is no room: the highest number. The
    column with 1 holds the name of a row and stays, as one with 0 does. `prose`: what is done with
    a cell of several words before the column is left out; without it a cell is shown whole.
    """

    title: str = ""
    align: Literal["left", "right"] = "left"
    yields: int = 0
    prose: Literal["wrap", "cut"] | None = None


Cell = Text | str


def aligned(
    columns: Sequence[Column], rows: Sequence[Sequence[Cell]], width: int | None = None
) -> list[Text]:
    """A title line, if any column has a title, and the lines of each row; nothing without rows.

    Below them, the titles of columns that were left out.
    """
    if not rows:
        return []
    lines = [line for lines in aligned_rows(columns, rows, width) for line in lines]
    left_out = [] if width is None else _left_out(columns, rows, width)
    if width is None or not left_out:
        return lines
    titles = ", ".join(f'"{title}"' if " " in title else title for title in left_out)
    note = Text(f"no room for {titles}: widen the terminal, or --json", "dim")
    return [*lines, *wrapped(note, width)]


def aligned_rows(
    columns: Sequence[Column], rows: Sequence[Sequence[Cell]], width: int | None = None
) -> list[list[Text]]:
    """The lines of the title and of each row, in a list of their own."""
    cells, widths = _cells(columns, rows), _widths(columns, rows, width)
    if width is None:
        return [[_line(columns, row, widths)] for row in cells]
    return [[cut(line, width) for line in _row_lines(columns, row, widths, width)] for row in cells]


def _left_out(columns: Sequence[Column], rows: Sequence[Sequence[Cell]], width: int) -> list[str]:
    """The titles of columns that have values and no room."""
    widths = _widths(columns, rows, width)
    return [
        column.title
        for at, column in enumerate(columns)
        if column.title and not widths[at] and any(len(row[at]) for row in rows)
    ]


def _cells(columns: Sequence[Column], rows: Sequence[Sequence[Cell]]) -> list[list[Text]]:
    """All cells as texts, the titles first."""
    has_title = any(column.title for column in columns)
    titles = [[Text(column.title, style="bold dim") for column in columns]] if has_title else []
    return [
        *titles,
        *([cell if isinstance(cell, Text) else Text(cell) for cell in row] for row in rows),
    ]


def _widths(
    columns: Sequence[Column], rows: Sequence[Sequence[Cell]], width: int | None
) -> list[int]:
    """The width of each column; 0 for one that is left out."""
    cells = _cells(columns, rows)
    natural = [max((row[at].cell_len for row in cells), default=0) for at in range(len(columns))]
    if width is None:
        return natural
    floors = [
        _floor(column, [row[at] for row in cells], width) for at, column in enumerate(columns)
    ]
    return _fit_columns(columns, natural, floors, width)


def _floor(column: Column, cells: Sequence[Text], width: int) -> int:
    """The least width of a column: of its prose, else of its widest cell."""
    match column.prose:
        case "wrap":
            # A word that fits into no line is broken wherever it is: it shall not cost the column.
            words = max((widest_word(cell.plain, width) for cell in cells), default=0)
            whole = max((cell.cell_len for cell in cells), default=0)
            return max(words, min(whole, _PROSE_COLUMNS_MIN))
        case "cut" if column.title:
            return max((first_words_columns(cell.plain) for cell in cells), default=1)
        case "cut":
            return 1
        case None:
            return max((cell.cell_len for cell in cells), default=0)


def _fit_columns(
    columns: Sequence[Column], natural: Sequence[int], floors: Sequence[int], width: int
) -> list[int]:
    """The width of each column; 0 for one that is left out."""
    widths = list(natural)
    yielding = sorted(
        (at for at, column in enumerate(columns) if column.yields > _NAME and widths[at]),
        key=lambda at: -columns[at].yields,
    )
    for at in yielding:
        widths[at] -= max(min(_excess(widths, width), widths[at] - floors[at]), 0)
    for at in yielding:
        if _excess(widths, width) > 0:
            widths[at] = 0
    for at in reversed(yielding):
        # What a column left out was too wide for is given back.
        if widths[at]:
            widths[at] += max(min(-_excess(widths, width), natural[at] - widths[at]), 0)
    for at, column in enumerate(columns):
        if column.yields == _NAME:
            widths[at] -= max(min(_excess(widths, width), widths[at] - 1), 0)
    return widths


def _excess(widths: Iterable[int], width: int) -> int:
    used = [columns for columns in widths if columns]
    return sum(used) + _GAP_COLUMNS * (len(used) - 1) - width


def _row_lines(
    columns: Sequence[Column], row: Sequence[Text], widths: Sequence[int], width: int
) -> list[Text]:
    """The lines of a row: long names above it, and below it what its prose continues with."""
    above: list[Text] = []
    cells: list[list[Text]] = []
    for column, cell, room in zip(columns, row, widths, strict=True):
        if room and cell.cell_len > room and column.yields == _NAME:
            above += wrapped(cell, width, 0)
            cells.append([])
        elif room and cell.cell_len > room and column.prose == "wrap":
            cells.append(wrapped(cell, room, 0))
        else:
            cells.append([cut_words(cell, room)])
    height = max((len(lines) for lines in cells), default=0)
    below = [
        _line(columns, [lines[at] if at < len(lines) else Text() for lines in cells], widths)
        for at in range(height)
    ]
    return above + (below if any(line.plain.strip() for line in below) or not above else [])


def _line(columns: Sequence[Column], row: Sequence[Text], widths: Sequence[int]) -> Text:
    line = Text()
    is_first = True
    for column, cell, width in zip(columns, row, widths, strict=True):
        if not width:
            continue
        if not is_first:
            line.append(" " * _GAP_COLUMNS)
        is_first = False
        padding = Text(" " * (width - cell.cell_len))
        line.append_text(padding + cell if column.align == "right" else cell + padding)
    line.rstrip()
    return line
