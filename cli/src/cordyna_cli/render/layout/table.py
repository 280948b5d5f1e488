"""Table: rows of cells as aligned lines.

Invariant: with a width, no line is longer, no word is broken that fits into a line, and nothing is
lost but what a column calls `optional` or `cut`. Without a width, each row is one line, and a cell
far longer than most pushes what follows it in its own row only.

A table that is too wide gives up room in this order:

1. prose is wrapped or cut, as long as it takes a few lines beside the other columns;
2. columns go below their rows, those that yield most first, each cell behind its title;
3. names that still do not fit get a line of their own above their row.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from rich.text import Text

from cordyna_cli.render.layout.paragraph import cut, cut_words, widest_word, wrapped

_GAP_COLUMNS: Final = 2
_PADDED_COLUMNS_MAX: Final = 80
_NAME: Final = 1
_NAME_COLUMNS_MIN: Final = 12
_WRAPPED_COLUMNS_MIN: Final = 12
_WRAPPED_LINES_MAX: Final = 4
_CUT_COLUMNS_MIN: Final = 30
_INDENT: Final = Text("  ")
_BELOW_SEPARATOR: Final = Text(" · ", "dim")


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table.

    `yields` orders which column goes below its rows first where there is no room: the highest
    number. The column with 1 holds the name of a row and stays, as one with 0 does. `prose`: what
    is done with a cell of several words before that; without it a cell is shown whole. `optional`:
    left out where there is no room, because the rest is understood without it.
    """

    title: str = ""
    align: Literal["left", "right"] = "left"
    yields: int = 0
    prose: Literal["wrap", "cut"] | None = None
    optional: bool = False


Cell = Text | str


def aligned(
    columns: Sequence[Column], rows: Sequence[Sequence[Cell]], width: int | None = None
) -> list[Text]:
    """A title line, if any column has a title, and the lines of each row; nothing without rows."""
    return [line for lines in aligned_rows(columns, rows, width) for line in lines] if rows else []


def aligned_rows(
    columns: Sequence[Column],
    rows: Sequence[Sequence[Cell]],
    width: int | None = None,
    *,
    around: int | None = None,
    indents: Sequence[Text] = (),
) -> list[list[Text]]:
    """Return the lines of the title and of each row, in a list of their own.

    `around`: the width of lines above and below the rows, if it is not that of the table.
    `indents`: what a line below a row begins with, for each row.
    """
    titles, cells = _titles(columns), _texts(rows)
    widths = _widths(columns, [*titles, *cells], width)
    if width is None:
        return [[_line(columns, row, widths)] for row in (*titles, *cells)]
    table: list[list[Text]] = [[cut(_line(columns, row, widths), width)] for row in titles]
    for at, row in enumerate(cells):
        above, beside = _row_lines(columns, row, widths, around or width)
        indent = indents[at] if indents else _INDENT
        below = _below(columns, row, widths, indent, around or width)
        table.append([*above, *(cut(line, width) for line in beside), *below])
    return table


def goes_below(
    columns: Sequence[Column], rows: Sequence[Sequence[Cell]], width: int | None
) -> bool:
    """Return whether a column has no room beside the others, and goes below its rows."""
    cells = [*_titles(columns), *_texts(rows)]
    return any(
        needed and not room and not column.optional
        for column, needed, room in zip(
            columns, _widths(columns, cells, None), _widths(columns, cells, width), strict=True
        )
    )


def _titles(columns: Sequence[Column]) -> list[list[Text]]:
    """Return one row, if any column has a title."""
    if not any(column.title for column in columns):
        return []
    return [[Text(column.title, style="bold dim") for column in columns]]


def _texts(rows: Iterable[Sequence[Cell]]) -> list[list[Text]]:
    return [[cell if isinstance(cell, Text) else Text(cell) for cell in row] for row in rows]


def _widths(
    columns: Sequence[Column], cells: Sequence[Sequence[Text]], width: int | None
) -> list[int]:
    """Return the width of each column; 0 for one that is not shown beside the others."""
    natural = [max((row[at].cell_len for row in cells), default=0) for at in range(len(columns))]
    if width is None:
        return [min(columns, _PADDED_COLUMNS_MAX) for columns in natural]
    floors = [
        _floor(column, [row[at] for row in cells], width) for at, column in enumerate(columns)
    ]
    return _fit_columns(columns, natural, floors, width)


def _floor(column: Column, cells: Sequence[Text], width: int) -> int:
    """Return the least width of a column: of its prose, else of its widest cell."""
    whole = max((cell.cell_len for cell in cells), default=0)
    match column.prose:
        case "wrap":
            # A word that fits into no line is broken wherever it is: it shall not cost the column.
            words = max((widest_word(cell.plain, width) for cell in cells), default=0)
            return max(words, min(whole, _WRAPPED_COLUMNS_MIN), whole // _WRAPPED_LINES_MAX)
        case "cut":
            return min(whole, _CUT_COLUMNS_MIN)
        case None:
            return whole


def _fit_columns(
    columns: Sequence[Column], natural: Sequence[int], floors: Sequence[int], width: int
) -> list[int]:
    """Return the width of each column; 0 for one that goes below or is left out."""
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
    names = [at for at, column in enumerate(columns) if column.yields == _NAME]
    narrowed = [at for at in names if _narrow_name(widths, at, columns[at], width)]
    for at in reversed(yielding):
        # What the others need no longer is given back.
        gap = 0 if widths[at] else _GAP_COLUMNS
        room = widths[at] - _excess(widths, width) - gap
        if room >= floors[at] and not (narrowed and columns[at].optional):
            widths[at] = min(room, natural[at])
    for at in names:
        widths[at] += max(min(-_excess(widths, width), natural[at] - widths[at]), 0)
    return widths


def _narrow_name(widths: list[int], at: int, column: Column, width: int) -> bool:
    """Make a column of names narrower, if it does not fit: longer ones get lines of their own.

    A list then has room for other columns; in a tree, as many names as can stay in their rows.
    """
    if _excess(widths, width) <= 0:
        return False
    if column.title:
        widths[at] = min(widths[at], _NAME_COLUMNS_MIN)
    widths[at] -= max(min(_excess(widths, width), widths[at] - 1), 0)
    return True


def _excess(widths: Iterable[int], width: int) -> int:
    used = [columns for columns in widths if columns]
    return sum(used) + _GAP_COLUMNS * (len(used) - 1) - width


def _row_lines(
    columns: Sequence[Column], row: Sequence[Text], widths: Sequence[int], around: int
) -> tuple[list[Text], list[Text]]:
    """The lines of a row: long names above it; the row, and what its prose continues with."""
    above: list[Text] = []
    cells: list[list[Text]] = []
    for column, cell, room in zip(columns, row, widths, strict=True):
        if room and cell.cell_len > room and column.yields == _NAME:
            above += wrapped(cell, around, 0)
            cells.append([])
        elif room and cell.cell_len > room and column.prose == "wrap":
            cells.append(wrapped(cell, room, 0))
        else:
            cells.append([cut_words(cell, room)])
    height = max((len(lines) for lines in cells), default=0)
    beside = [
        _line(columns, [lines[at] if at < len(lines) else Text() for lines in cells], widths)
        for at in range(height)
    ]
    return above, beside if any(line.plain.strip() for line in beside) or not above else []


def _below(
    columns: Sequence[Column],
    row: Sequence[Text],
    widths: Sequence[int],
    indent: Text,
    around: int,
) -> list[Text]:
    """What has no room beside, each cell behind its title; on one line if it is to be cut."""
    parts = [
        (column, Text.assemble((f"{column.title} " if column.title else "", "dim"), cell))
        for column, cell, room in zip(columns, row, widths, strict=True)
        if not room and cell.plain and not column.optional
    ]
    if not parts:
        return []
    line = indent + _BELOW_SEPARATOR.join(words for _, words in parts)
    if any(column.prose == "cut" for column, _ in parts):
        return [cut(line, around)]
    return wrapped(line, around, indent.cell_len + 2)


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
