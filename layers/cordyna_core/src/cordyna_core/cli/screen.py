"""Screen: one stream with or without a terminal behind it.

Law: what goes to a terminal is cut to its width by whoever renders it; what is piped is never cut, wrapped or coloured.
"""

from collections.abc import Iterable, Mapping
from typing import TextIO

from rich.console import Console
from rich.text import Text

from cordyna_core.cli.environment import ReaderLeft


class Screen:
    """Prints lines."""

    def __init__(self, stream: TextIO, environ: Mapping[str, str]) -> None:
        self.stream = stream
        self.is_terminal = stream.isatty()
        self.console = Console(file=stream, highlight=False, markup=False, emoji=False, _environ=environ)

    @property
    def width(self) -> int | None:
        """In columns; None where nothing is to be cut."""
        return self.console.width if self.is_terminal else None

    @property
    def height(self) -> int | None:
        """In lines; None where there is no end."""
        return self.console.height if self.is_terminal else None

    def print(self, lines: Iterable[Text | str]) -> None:
        """One line each. Raises ReaderLeft."""
        try:
            if self.console.color_system is None:
                self.stream.writelines(f"{line.plain if isinstance(line, Text) else line}\n" for line in lines)
            else:
                for line in lines:
                    self.console.print(line, soft_wrap=True)
            self.stream.flush()
        except BrokenPipeError as left:
            raise ReaderLeft from left
