"""Descriptors: what processes and C code write to stdout and stderr, past Python, goes through a pipe to whoever wants it.

Law: while it is installed nothing reaches the terminal through descriptors 1 and 2.
"""

import os
import threading
from collections.abc import Callable
from typing import Final, Literal, TextIO

Stream = Literal["stdout", "stderr"]
STREAM_OF: Final[dict[int, Stream]] = {1: "stdout", 2: "stderr"}


class Descriptors:
    """Redirects descriptors 1 and 2 of the whole process to `on_line`, line by line, each from a thread of its own."""

    def __init__(self, on_line: Callable[[Stream, str], None]) -> None:
        self._on_line = on_line
        self._kept: dict[int, int] = {}

    def install(self) -> dict[int, TextIO]:
        """Returns streams that still lead to where the descriptors did."""
        real: dict[int, TextIO] = {}
        for descriptor, stream in STREAM_OF.items():
            try:
                self._kept[descriptor] = os.dup(descriptor)
            except OSError:  # it was closed when the process began
                continue
            reader, writer = os.pipe()
            os.dup2(writer, descriptor)
            os.close(writer)
            threading.Thread(
                target=self._read, args=(reader, stream), name=f"read-{stream}", daemon=True
            ).start()
            real[descriptor] = os.fdopen(
                self._kept[descriptor],
                "w",
                encoding="utf-8",
                errors="replace",
                buffering=1,
                closefd=False,
            )
        return real

    def remove(self) -> None:
        """Let the descriptors lead again to where they did."""
        for descriptor, kept in self._kept.items():
            os.dup2(kept, descriptor)
            os.close(kept)
        self._kept.clear()

    def _read(self, reader: int, stream: Stream) -> None:
        with os.fdopen(reader, encoding="utf-8", errors="replace") as lines:
            for line in lines:
                self._on_line(stream, line.rstrip("\n"))
