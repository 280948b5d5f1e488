"""Paragraph: text that is cut or wrapped at a width.

Invariant: no line is longer than its width, and no word is broken that fits into a line. Words end
at spaces; a script without spaces (Chinese, Japanese) is broken between any two of its characters,
but not before a closing mark.
"""

import re
from typing import Final

from rich.text import Text

_BEFORE_UNIT: Final = re.compile(r"\d (?:ms|[smhd])\b")
"""A number and its unit stay on one line."""

_WIDE: Final = "\u2e80-\u303f\u3040-\ua4cf\uac00-\ud7a3\uf900-\ufaff\uff01-\uff60"
_CLOSING: Final = (
    "\u3001\u3002\u3009\u300b\u300d\u300f\u3011\u3015"
    "\uff01\uff09\uff0c\uff1a\uff1b\uff1f\uff3d\uff5d"
)
_BETWEEN_WIDE: Final = re.compile(rf"(?<=[{_WIDE}])(?=[{_WIDE}])(?![{_CLOSING}])")

_ELLIPSIS: Final = "…"


def cut(text: Text, width: int) -> Text:
    """Return at most `width` columns of it, an ellipsis last when something is missing.

    It ends between words, unless its first word does not fit, or the next one fits into no line.
    """
    if text.cell_len <= width:
        return text
    end = _end_of_words(text, width - 1)
    if not text.plain[:end].strip() or Text(_next_word(text.plain, end)).cell_len > width:
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
    """Return a sentence on several lines, broken between words.

    Later lines have `indent` columns in front, or two more than the first. A word that does not fit
    behind the indent, but into a line, begins the line; one that is wider than a line is broken.
    """
    if indent is None:
        indent = len(line.plain) - len(line.plain.lstrip()) + 2
    lines: list[Text] = []
    while width is not None and line.cell_len > width:
        head, tail, is_broken = _split(line, width)
        lines.append(head)
        room = width - indent
        columns = Text(_words(tail.plain)[0]).cell_len
        is_indented = 0 < columns <= room or (room > 0 and (is_broken or columns > width))
        line = (Text(" " * indent) if is_indented else Text()) + tail
    return [*lines, line]


def widest_word(plain: str, width: int) -> int:
    """Return the columns of the widest word of those that fit into a line; 0 without any."""
    words = (Text(word).cell_len for word in _words(plain))
    return max((columns for columns in words if columns <= width), default=0)


def _split(line: Text, width: int) -> tuple[Text, Text, bool]:
    """Return the part that fits, the rest without the space between, and if a word was broken."""
    end = _columns_to_index(line.plain, width)
    at = _last_end(line.plain, end)
    while at > 0 and _BEFORE_UNIT.match(line.plain, at - 1):
        at = _last_end(line.plain, at - 1)
    is_broken = at <= 0 or not line.plain[:at].strip()
    if is_broken:
        at = max(end, 1)
    head, tail = line[:at], line[at:]
    head.rstrip()
    return head, tail[len(tail.plain) - len(tail.plain.lstrip(" ")) :], is_broken


def _end_of_words(text: Text, width: int) -> int:
    """Return the index behind the last word that ends within `width` columns; 0 if no word does."""
    end = _columns_to_index(text.plain, width)
    if end < len(text.plain):
        end = max(_last_end(text.plain, end), 0)
    whole = text.plain[:end].rstrip(" ")
    return len(whole.rstrip(" ,;:")) or len(whole)


def _next_word(plain: str, at: int) -> str:
    """Return the first word from an index on; marks that end a word before it are none."""
    return next((word for word in _words(plain[at:]) if word.strip(",;:")), "")


def _words(plain: str) -> list[str]:
    return [word for part in plain.split(" ") for word in _BETWEEN_WIDE.split(part)]


def _last_end(plain: str, end: int) -> int:
    """Return the last index up to `end` at which a word ends; -1 if no word does."""
    wide = (at.start() for at in _BETWEEN_WIDE.finditer(plain, 0, min(end + 1, len(plain))))
    return max(plain.rfind(" ", 0, end + 1), *(at for at in wide if at <= end), -1)


def _columns_to_index(plain: str, width: int) -> int:
    """Return how many characters fit into `width` columns."""
    columns = 0
    for index, character in enumerate(plain):
        columns += Text(character).cell_len
        if columns > width:
            return index
    return len(plain)
