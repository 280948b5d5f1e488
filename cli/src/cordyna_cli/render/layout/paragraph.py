"""Paragraph: text that is cut or wrapped at a width.

Invariant: no line is longer than its width, and no word is broken that fits into a line.
"""

import re
from typing import Final

from rich.text import Text

_BEFORE_UNIT: Final = re.compile(r"\d (?:ms|[smhd])\b")
"""A number and its unit stay on one line."""

_ELLIPSIS: Final = "…"


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


def widest_word(plain: str, width: int) -> int:
    """The columns of the widest word of those that fit into a line; 0 without any."""
    words = (Text(word).cell_len for word in plain.split(" "))
    return max((columns for columns in words if columns <= width), default=0)


def first_words_columns(plain: str) -> int:
    """The columns of the first word, with room for an ellipsis where more follows."""
    first, _, rest = plain.partition(" ")
    return Text(first).cell_len + (1 if rest else 0)


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
