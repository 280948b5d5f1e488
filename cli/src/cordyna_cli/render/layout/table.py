"""Table: rows of cells as aligned lines.

Invariant: with a width, no line is longer, and no word is broken that fits into a line: a cell that
must be shorter ends between words, with an ellipsis. Without a width, nothing is cut.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from rich.text import Text

_GAP_COLUMNS: Final = 2
_BEFORE_UNIT: Final = re.compile(r"\d (?:ms|[smhd])\b")
"""A number and its unit stay on one line."""

_ELLIPSIS: Final = "…"


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table.

    `yields` orders which column gives up room first: the highest number. It is cut between words,
    and left out where not even the first words fit. Those with 1 come last: they hold names, are
    never left out, and are cut within a word if all else is gone. A column with 0 is never cut.
    """

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
    floors = [_floor(column, [row[at] for row in cells]) for at, column in enumerate(columns)]
    widths = natural if width is None else _fit_columns(columns, natural, floors, width)
    lines = [_line(columns, row, widths) for row in cells]
    return lines if width is None else [cut(line, width) for line in lines]


def cut(text: Text, width: int) -> Text:
    """At most `width` columns of it, an ellipsis last when something is missing.

    It ends between words, unless its first word does not fit.
    """
    if text.cell_len <= width:
        return text
    end = _end_of_words(text, width - 1)
    if not text.plain[:end].strip():
        shorter = text.copy()
        shorter.truncate(width, overflow="ellipsis")
        return shorter
    return text[:end] + Text(_ELLIPSIS)


def cut_words(text: Text, width: int) -> Text:
    """As `cut`, but only an ellipsis where the first word does not fit."""
    if text.cell_len <= width:
        return text
    if width < 1:
        return Text()
    return text[: _end_of_words(text, width - 1)] + Text(_ELLIPSIS)


def wrapped(line: Text, width: int | None, indent: int | None = None) -> list[Text]:
    """A sentence on several lines, broken between words.

    Later lines have `indent` columns in front, or two more than the first. A word that does not fit
    behind the indent begins the line; one that is wider than a line is broken.
    """
    if indent is None:
        indent = len(line.plain) - len(line.plain.lstrip()) + 2
    lines: list[Text] = []
    while width is not None and line.cell_len > width:
        head, tail = _split(line, width)
        lines.append(head)
        room = width - indent
        first_word = tail.plain.split(" ", 1)[0]
        line = (Text(" " * indent) if 0 < Text(first_word).cell_len <= room else Text()) + tail
    return [*lines, line]


def _split(line: Text, width: int) -> tuple[Text, Text]:
    """The part of a line that fits, and the rest without the space between."""
    end = _columns_to_index(line.plain, width)
    at = line.plain.rfind(" ", 0, end + 1)
    while at > 0 and _BEFORE_UNIT.match(line.plain, at - 1):
        at = line.plain.rfind(" ", 0, at)
    if at <= 0 or not line.plain[:at].strip():
        at = max(end, 1)
    head, tail = line[:at], line[at:]
    head.rstrip()
    return head, tail[len(tail.plain) - len(tail.plain.lstrip(" ")) :]


def _end_of_words(text: Text, width: int) -> int:
    """The index behind the last word that ends within `width` columns; 0 if no word does."""
    end = _columns_to_index(text.plain, width)
    if end < len(text.plain) and text.plain[end] != " ":
        end = max(text.plain.rfind(" ", 0, end), 0)
    whole = text.plain[:end].rstrip(" ")
    return len(whole.rstrip(" ,;:")) or len(whole)


def _columns_to_index(plain: str, width: int) -> int:
    """How many characters fit into `width` columns."""
    columns = 0
    for index, character in enumerate(plain):
        columns += Text(character).cell_len
        if columns > width:
            return index
    return len(plain)


def _floor(column: Column, cells: Sequence[Text]) -> int:
    """The least width of a column that yields: of the first words, where it has a title."""
    if not column.title:
        return 1
    return max((_first_word_columns(cell.plain) for cell in cells), default=1)


def _first_word_columns(plain: str) -> int:
    first, _, rest = plain.partition(" ")
    return Text(first).cell_len + (1 if rest else 0)


def _fit_columns(
    columns: Sequence[Column], natural: Sequence[int], floors: Sequence[int], width: int
) -> list[int]:
    widths = list(natural)
    yielding = sorted(
        (at for at, column in enumerate(columns) if column.yields > 1 and widths[at]),
        key=lambda at: -columns[at].yields,
    )
    for at in yielding:
        excess = _excess(widths, width)
        widths[at] -= max(min(excess, widths[at] - floors[at]), 0)
    for at in yielding:
        if _excess(widths, width) > 0:
            widths[at] = 0
    for at in reversed(yielding):
        # What a column left out was too wide for is given back.
        if widths[at]:
            widths[at] += max(min(-_excess(widths, width), natural[at] - widths[at]), 0)
    names = [at for at, column in enumerate(columns) if column.yields == 1]
    for at in names:
        widths[at] -= max(min(_excess(widths, width), widths[at] - 1), 0)
    return widths


def _excess(widths: Iterable[int], width: int) -> int:
    used = [columns for columns in widths if columns]
    return sum(used) + _GAP_COLUMNS * (len(used) - 1) - width


def _line(columns: Sequence[Column], row: Sequence[Text], widths: Sequence[int]) -> Text:
    line = Text()
    is_first = True
    for column, cell, width in zip(columns, row, widths, strict=True):
        if not width:
            continue
        if not is_first:
            line.append(" " * _GAP_COLUMNS)
        is_first = False
        shown = cut(cell, width) if column.yields == 1 else cut_words(cell, width)
        padding = Text(" " * (width - shown.cell_len))
        line.append_text(padding + shown if column.align == "right" else shown + padding)
    line.rstrip()
    return line
