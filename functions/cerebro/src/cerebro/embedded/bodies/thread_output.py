"""Thread output: what a task prints or logs while it runs in a thread goes to its log.

For tests, benchmarks and debuggers. Output of subprocesses and of C code is not captured: only a
process of its own can tell whose it is.

Invariant: only output of an attempt is captured; what the main thread prints passes.
"""

import io
import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, Final, TextIO

from cerebro.embedded.storage.event_log import LogChunk, Stream
from cordyna_core.ports import Clock

LINE_CHARS_MAX: Final = 64 * 1024
"""Characters of one line that are kept."""

TASK_LOGGER: Final = "cordyna.task"


@dataclass(slots=True, eq=False)
class _Attempt:
    run_id: str
    task: str
    attempt: int
    unfinished: dict[Stream, io.StringIO] = field(default_factory=dict)


_current: ContextVar[_Attempt | None] = ContextVar("cordyna_attempt", default=None)


class ThreadOutput:
    """Sends the output of the attempt that runs in the current thread to `write`."""

    def __init__(self, write: Callable[[LogChunk], None], clock: Clock) -> None:
        self._write, self._clock = write, clock
        self._handler = _LogHandler(self)
        self._replaced: tuple[TextIO, TextIO] | None = None

    def install(self) -> None:
        """Replace the process's stdout and stderr, and add a log handler."""
        if self._replaced is not None:
            return
        self._replaced = (sys.stdout, sys.stderr)
        sys.stdout = _Tee(self, "stdout", sys.stdout)
        sys.stderr = _Tee(self, "stderr", sys.stderr)
        logging.getLogger().addHandler(self._handler)
        # Otherwise the root logger's level would drop what a body logs as `info`.
        if logging.getLogger(TASK_LOGGER).level == logging.NOTSET:
            logging.getLogger(TASK_LOGGER).setLevel(logging.INFO)

    def remove(self) -> None:
        """Undo `install`."""
        logging.getLogger().removeHandler(self._handler)
        if self._replaced is not None:
            sys.stdout, sys.stderr = self._replaced
            self._replaced = None

    @contextmanager
    def of(self, run_id: str, task: str, attempt: int) -> Iterator[None]:
        """Attribute what is printed inside to this attempt."""
        token = _current.set(_Attempt(run_id, task, attempt))
        try:
            yield
        finally:
            self.flush()
            _current.reset(token)

    def flush(self) -> None:
        """Write the unfinished lines of the attempt of this thread."""
        current = _current.get()
        if current is not None:
            for stream, unfinished in current.unfinished.items():
                if text := unfinished.getvalue():
                    self._emit(current, stream, text)
            current.unfinished.clear()

    def add_text(self, stream: Stream, text: str) -> bool:
        """Take printed text; whole lines are written at once.

        Returns whether the text belongs to an attempt.
        """
        current = _current.get()
        if current is None:
            return False
        unfinished = current.unfinished.setdefault(stream, io.StringIO())
        whole, newline, rest = text.rpartition("\n")
        if newline:
            self._emit(current, stream, unfinished.getvalue() + whole + "\n")
            unfinished = current.unfinished[stream] = io.StringIO()
        if unfinished.tell() < LINE_CHARS_MAX:
            unfinished.write(rest)
        return True

    def _emit(self, current: _Attempt, stream: Stream, text: str) -> None:
        lines = (line[:LINE_CHARS_MAX] for line in text.split("\n"))
        # A lone surrogate cannot be stored as text.
        stored = "\n".join(lines).encode("utf-8", "backslashreplace").decode()
        self._write(
            LogChunk(current.run_id, current.task, current.attempt, self._clock(), stream, stored)
        )


class _Tee:
    """A text stream that goes to the attempt's log. A body cannot close it."""

    def __init__(self, output: ThreadOutput, stream: Stream, inner: TextIO) -> None:
        self._output, self._stream, self._inner = output, stream, inner

    def write(self, text: str) -> int:
        taken = self._output.add_text(self._stream, text)
        return len(text) if taken else self._inner.write(text)

    def writelines(self, lines: Any) -> None:
        for line in lines:
            self.write(line)

    @property
    def buffer(self) -> "_Bytes":
        return _Bytes(self)

    def close(self) -> None:
        """Do nothing: the stream is not the body's."""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


class _Bytes:
    """The binary side of a tee."""

    def __init__(self, tee: _Tee) -> None:
        self._tee = tee

    def write(self, data: bytes) -> int:
        self._tee.write(bytes(data).decode("utf-8", "backslashreplace"))
        return len(data)

    def flush(self) -> None:
        self._tee.flush()


class _LogHandler(logging.Handler):
    def __init__(self, output: ThreadOutput) -> None:
        super().__init__()
        self._output = output
        self.setFormatter(logging.Formatter("%(levelname)s %(message)s"))

    def emit(self, record: logging.LogRecord) -> None:
        if _current.get() is None:
            return
        try:
            text = self.format(record)
        except Exception as broken:  # noqa: BLE001  formatting calls methods of the body
            # As the standard handlers do, a broken logging call does not fail its caller.
            text = f"{record.levelname} {record.msg!r} (not formatted: {broken})"
        self._output.add_text("log", text + "\n")
