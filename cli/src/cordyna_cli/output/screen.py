"""Screen: one stream with or without a terminal behind it.

Invariant: no line holds a character that acts on a terminal. What goes to a terminal is cut to its
width by its renderer; what is piped is never cut, wrapped or coloured.
"""

import os
from collections.abc import Iterable, Mapping
from typing import TextIO

from rich.console import Console, ConsoleDimensions
from rich.text import Text

from cordyna_cli.output.sentences import wrap_sentence
from cordyna_cli.output.streams import ReaderLeft, unwritable_error, writable_json, write
from cordyna_cli.wording.foreign_text import UNPRINTABLE


class Screen:
    """Prints lines."""

    def __init__(self, stream: TextIO, environ: Mapping[str, str]) -> None:
        self.stream = stream
        self.is_terminal = stream.isatty()
        self.console = _Console(
            file=stream, highlight=False, markup=False, emoji=False, _environ=environ
        )

    @property
    def width(self) -> int | None:
        """In columns; None where nothing is to be cut."""
        return self.console.width if self.is_terminal else None

    def print(self, lines: Iterable[Text | str]) -> None:
        """Print one line each. Raises ReaderLeft, Unwritable."""
        if self.console.color_system is None:
            write(self.stream, (_plain(line) for line in lines))
            return
        try:
            for line in lines:
                self.console.print(without_unprintable(line), soft_wrap=True)
        except OSError as failed:
            raise unwritable_error(failed) from failed

    def note(self, sentences: Iterable[str]) -> None:
        """Print sentences, on a terminal broken between words. Raises ReaderLeft, Unwritable."""
        self.print(part for line in sentences for part in wrap_sentence(line, self.width))

    def print_json(self, *texts: str) -> None:
        """Print one line each, with escapes for what the stream cannot write.

        Raises ReaderLeft, Unwritable.
        """
        write(self.stream, (writable_json(text, self.stream) for text in texts))


def without_unprintable(line: Text | str) -> Text | str:
    """Return the line without characters that act on a terminal, wherever they come from."""
    if isinstance(line, str):
        return UNPRINTABLE.sub("", line)
    offsets = [match.start() for match in UNPRINTABLE.finditer(line.plain)]
    if not offsets:
        return line
    pieces = line.divide([offset for start in offsets for offset in (start, start + 1)])
    return Text.assemble(*(piece for piece in pieces if not UNPRINTABLE.fullmatch(piece.plain)))


def _plain(line: Text | str) -> str:
    return UNPRINTABLE.sub("", line.plain if isinstance(line, Text) else line)


class _Console(Console):
    """As large as the terminal behind its own stream.

    Rich measures the terminal of the process's streams, which belong to tasks.
    """

    @property
    def size(self) -> ConsoleDimensions:
        try:
            columns, lines = os.get_terminal_size(self.file.fileno())
        except OSError:
            return super().size
        return ConsoleDimensions(self._width or columns or 80, self._height or lines or 25)

    @size.setter
    def size(self, new_size: tuple[int, int]) -> None:
        self._width, self._height = new_size

    def on_broken_pipe(self) -> None:
        raise ReaderLeft
