"""Sentences: plain text on a terminal, broken between words, commands never."""

import textwrap
from typing import Final

_COMMANDS: Final = ("  next: dyna ", "  next: pip ")
"""Beginnings of lines that are copied: a terminal may break them, but no line end is put in."""


def wrap_sentence(line: str, width: int | None) -> list[str]:
    """Return the lines of a sentence, the later ones indented by two more than the first."""
    if width is None or line.startswith(_COMMANDS) or not line.strip():
        return [line]
    indent = " " * (len(line) - len(line.lstrip()) + 2)
    return textwrap.wrap(
        line,
        max(width, len(indent) + 1),
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )
