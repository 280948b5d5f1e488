"""Streams: the stdout and stderr that the command line keeps to itself.

Law: once they are taken, whatever else writes to stdout (a server's module, a task, its threads and processes, by whichever way) lands
on stderr. So stdout holds what `dyna` says, and nothing else.
"""

import io
import json
import os
import re
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final, TextIO

from cordyna_core.errors import ServiceError

_BEYOND_ASCII: Final = re.compile(r"[^\x00-\x7f]+")


class ReaderLeft(Exception):
    """Whoever read our output has left (`dyna events | head`)."""


class Unwritable(ServiceError):
    """The result cannot be written to where it should go."""


@dataclass(frozen=True, slots=True)
class Streams:
    """What the process was started with, for `dyna` alone."""

    stdin: TextIO
    stdout: TextIO
    stderr: TextIO


def take_streams() -> Streams:
    """Keep copies of stdout and stderr, and let file descriptor 1 be stderr from now on.

    What the process was started without is /dev/null: whoever closes stdout wants no results.
    """
    for descriptor in range(3):
        if not _is_open(descriptor):
            # Else the next file to be opened would get this number, and whatever anybody prints.
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)
    out = _text(_Results(os.dup(1), "w"), sys.stdout, line_buffering=False)
    err = _text(_Progress(os.dup(2), "w"), sys.stderr, line_buffering=True)
    os.dup2(2, 1)
    sys.stdout, sys.stderr = _for_others(1, sys.stdout), _for_others(2, sys.stderr)
    return Streams(_read_by_us(), out, err)


def write(stream: TextIO, lines: Iterable[str]) -> None:
    """Raises ReaderLeft, and Unwritable where the disk is full, or the like."""
    try:
        stream.writelines(f"{line}\n" for line in lines)
        stream.flush()
    except BrokenPipeError as left:
        raise ReaderLeft from left
    except OSError as unwritable:
        raise unwritten(unwritable) from unwritable


def unwritten(error: OSError) -> Unwritable:
    """What a person is told about results that could not be written."""
    return Unwritable(
        "the result cannot be written to stdout.",
        why=error.strerror or str(error),
        next="make room, or write it elsewhere; `dyna show` prints what became of the last run",
    )


def writable_json(text: str, stream: TextIO) -> str:
    """JSON, with escapes where `stream` cannot write every character of it (in JSON, only strings hold other than ASCII)."""
    try:
        text.encode(stream.encoding or "utf-8")
    except UnicodeEncodeError:
        return _BEYOND_ASCII.sub(lambda found: json.dumps(found[0])[1:-1], text)
    return text


class _Results(io.FileIO):
    """Tells the first failure; what is written after it, also when Python ends, is dropped."""

    failed = False

    def write(self, data: Any) -> int:
        if self.failed:
            return memoryview(data).nbytes
        try:
            return super().write(data)
        except OSError:
            self.failed = True
            raise


class _Progress(io.FileIO):
    """Drops what cannot be written: nobody's run ends because its progress cannot be told."""

    def write(self, data: Any) -> int:
        try:
            return super().write(data)
        except OSError:
            return memoryview(data).nbytes


def _is_open(descriptor: int) -> bool:
    try:
        os.fstat(descriptor)
    except OSError:
        return False
    return True


def _text(raw: io.FileIO, like: TextIO | None, *, line_buffering: bool) -> TextIO:
    # A terminal that cannot show a sign shows "?" instead of ending the program.
    encoding = "utf-8" if like is None else like.encoding
    return io.TextIOWrapper(
        io.BufferedWriter(raw), encoding=encoding, errors="replace", line_buffering=line_buffering
    )


def _for_others(descriptor: int, like: TextIO | None) -> TextIO:
    """A sys.stdout or sys.stderr for everybody else, anew: the old one remembers whether its file could be sought in."""
    encoding = "utf-8" if like is None else like.encoding
    # A line is written when it is whole, because two streams go to one place now.
    return open(descriptor, "w", buffering=1, encoding=encoding, errors="replace", closefd=False)


def _read_by_us() -> TextIO:
    """Envelopes are UTF-8, whatever the terminal is; a byte that is not becomes `\\xff`, which is no JSON either."""
    if isinstance(sys.stdin, io.TextIOWrapper):
        sys.stdin.reconfigure(encoding="utf-8", errors="backslashreplace")
    return sys.stdin or io.StringIO()
