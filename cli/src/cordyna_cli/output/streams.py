"""Streams: the stdout and stderr that the command line keeps to itself.

Invariant: once they are taken, everything else that writes to stdout (a server's module, a task,
its threads and processes) ends up on stderr. So stdout holds the results of `dyna` only.
"""

import io
import json
import os
import re
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, TextIO

from cordyna_cli.wording.foreign_text import UNPRINTABLE
from cordyna_core.errors import ServiceError

DEFAULT_COLUMNS: Final = 80

_BEYOND_ASCII: Final = re.compile(r"[^\x00-\x7f]+")


class ReaderLeft(Exception):
    """The reader of our output has closed it (`dyna events | head`)."""


class Unwritable(ServiceError):
    """The result cannot be written."""


@dataclass(frozen=True, slots=True)
class Streams:
    """The process's own streams, for `dyna` alone."""

    stdin: TextIO
    stdout: TextIO
    stderr: TextIO


def take_streams() -> Streams:
    """Keep copies of stdout and stderr, and make file descriptor 1 an alias of stderr.

    A descriptor that the process was started without becomes /dev/null.
    """
    for descriptor in range(3):
        if not _is_open(descriptor):
            # Otherwise the next opened file would get this number, and all that is printed.
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)  # noqa: FBT003
    out = _text_stream(_ResultFile(os.dup(1), "w"), sys.stdout, line_buffering=False)
    err = _text_stream(_ProgressFile(os.dup(2), "w"), sys.stderr, line_buffering=True)
    os.dup2(2, 1)
    sys.stdout, sys.stderr = _replacement(1, sys.stdout), _replacement(2, sys.stderr)
    return Streams(_utf8_stdin(), out, err)


def write(stream: TextIO, lines: Iterable[str]) -> None:
    """Write one line each. Raises ReaderLeft; Unwritable, for example where the disk is full."""
    try:
        stream.writelines(f"{line}\n" for line in lines)
        stream.flush()
    except BrokenPipeError as left:
        raise ReaderLeft from left
    except OSError as failed:
        raise unwritable_error(failed) from failed


def unwritable_error(error: OSError) -> Unwritable:
    """Return the error for results that could not be written."""
    return Unwritable(
        "the result cannot be written to stdout.",
        why=error.strerror or str(error),
        next="make room, or write it elsewhere; `dyna show` prints the outcome of the last run",
    )


def writable_json(text: str, stream: TextIO) -> str:
    """JSON with escapes for what `stream` cannot write, and for what would act on a terminal.

    In JSON, only strings hold characters beyond ASCII, and none holds a C0 character unescaped.
    """
    text = UNPRINTABLE.sub(_escaped, text)
    try:
        text.encode(stream.encoding or "utf-8")
    except UnicodeEncodeError:
        return _BEYOND_ASCII.sub(_escaped, text)
    return text


def _escaped(match: re.Match[str]) -> str:
    return json.dumps(match[0])[1:-1]


def terminal_width(stream: TextIO, environ: Mapping[str, str]) -> int:
    """Return the columns of the terminal behind `stream`; of $COLUMNS where it has none."""
    try:
        columns = os.get_terminal_size(stream.fileno()).columns
    except OSError:
        columns = 0
    configured = environ.get("COLUMNS", "")
    return columns or (
        int(configured) if configured.isdecimal() and int(configured) else DEFAULT_COLUMNS
    )


class _ResultFile(io.FileIO):
    """Raises on the first failure; what is written later, even when Python exits, is dropped."""

    failed = False

    def write(self, data: Any) -> int:
        if self.failed:
            return memoryview(data).nbytes
        try:
            return super().write(data)
        except OSError:
            self.failed = True
            raise


class _ProgressFile(io.FileIO):
    """Drops what cannot be written: a run does not end because its progress cannot be shown."""

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


def _text_stream(raw: io.FileIO, like: TextIO | None, *, line_buffering: bool) -> TextIO:
    # A terminal that cannot show a character shows "?" instead of ending the program.
    encoding = "utf-8" if like is None else like.encoding
    return io.TextIOWrapper(
        io.BufferedWriter(raw), encoding=encoding, errors="replace", line_buffering=line_buffering
    )


def _replacement(descriptor: int, like: TextIO | None) -> TextIO:
    """Return a new sys.stdout or sys.stderr.

    The old one has cached whether its file is seekable.
    """
    encoding = "utf-8" if like is None else like.encoding
    # Line-buffered, because two streams write to one place now.
    return open(descriptor, "w", buffering=1, encoding=encoding, errors="replace", closefd=False)


def _utf8_stdin() -> TextIO:
    """Envelopes are UTF-8 whatever the terminal's encoding is.

    A byte that is not UTF-8 becomes `\\xff`, which is not JSON either.
    """
    if isinstance(sys.stdin, io.TextIOWrapper):
        sys.stdin.reconfigure(encoding="utf-8", errors="backslashreplace")
    return sys.stdin or io.StringIO()
