"""Attempt output: what a body prints or logs in this process goes to a sink, with its attempt.

For a process that runs bodies in threads of its own: a Lambda, tests, benchmarks, debuggers. Output
of subprocesses and of C code is not captured: only a process of its own can tell whose it is (see
worker/body/output.py).

Invariant: output of no attempt passes unchanged, and no write of a body fails because of the
capture: text that is not UTF-8 is escaped, and a broken logging call shows what is broken.
"""

import io
import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, Final, Literal, NamedTuple, Protocol, TextIO

from cordyna_core.basic_config import honor_basic_config, keep_info

PrintedStream = Literal["stdout", "stderr"]

LINE_CHARS_MAX: Final = 64 * 1024
"""Characters of one line that are kept."""

_TASK_LOGGER: Final = "cordyna.task"


class AttemptId(NamedTuple):
    """Which attempt wrote something."""

    run_id: str
    task: str
    attempt: int


class OutputSink(Protocol):
    """Where the output of attempts goes."""

    def write(self, attempt: AttemptId, stream: PrintedStream, text: str) -> None:
        """Take whole lines, each with its newline; at the end perhaps a line without one."""
        ...

    def log(self, attempt: AttemptId | None, record: logging.LogRecord, message: str) -> None:
        """Take a log record of an attempt or, with None, of the process itself.

        A traceback is part of the message.
        """
        ...


@dataclass(slots=True, eq=False)
class _Running:
    attempt: AttemptId
    unfinished: dict[PrintedStream, io.StringIO] = field(default_factory=dict)


_current: Final[ContextVar[_Running | None]] = ContextVar("cordyna_attempt", default=None)


class AttemptCapture:
    """Captures the streams and the logging of this process. Install one at a time."""

    def __init__(self, sink: OutputSink) -> None:
        self._sink = sink
        self._handler = _LogHandler(sink)
        self._replaced: tuple[TextIO, TextIO] | None = None
        self._undo: tuple[Callable[[], None], ...] = ()

    def install(self) -> None:
        """Replace stdout and stderr, and add a handler to the root logger."""
        if self._replaced is not None:
            return
        self._replaced = (sys.stdout, sys.stderr)
        sys.stdout = _Tee(self, "stdout", sys.stdout)
        sys.stderr = _Tee(self, "stderr", sys.stderr)
        logging.getLogger().addHandler(self._handler)
        self._undo = keep_info(), honor_basic_config(self._handler)
        # Otherwise the root logger's level would drop what a body logs as `info`.
        if logging.getLogger(_TASK_LOGGER).level == logging.NOTSET:
            logging.getLogger(_TASK_LOGGER).setLevel(logging.INFO)

    def remove(self) -> None:
        """Undo `install`."""
        for undo in self._undo:
            undo()
        self._undo = ()
        logging.getLogger().removeHandler(self._handler)
        if self._replaced is not None:
            sys.stdout, sys.stderr = self._replaced
            self._replaced = None

    @contextmanager
    def of(self, run_id: str, task: str, attempt: int) -> Iterator[None]:
        """Attribute what this thread writes inside to an attempt."""
        token = _current.set(_Running(AttemptId(run_id, task, attempt)))
        try:
            yield
        finally:
            self.flush()
            _current.reset(token)

    def flush(self) -> None:
        """Write the unfinished lines of the attempt of this thread."""
        running = _current.get()
        if running is not None:
            for stream, unfinished in running.unfinished.items():
                if text := unfinished.getvalue():
                    self._sink.write(running.attempt, stream, _storable(text))
            running.unfinished.clear()

    def add_text(self, stream: PrintedStream, text: str) -> bool:
        """Take printed text; whole lines are written at once.

        Returns whether the text belongs to an attempt.
        """
        running = _current.get()
        if running is None:
            return False
        unfinished = running.unfinished.setdefault(stream, io.StringIO())
        whole, newline, rest = text.rpartition("\n")
        if newline:
            lines = unfinished.getvalue() + whole + newline
            self._sink.write(running.attempt, stream, _storable(lines))
            unfinished = running.unfinished[stream] = io.StringIO()
        if unfinished.tell() < LINE_CHARS_MAX:
            unfinished.write(rest)
        return True


def _storable(text: str) -> str:
    lines = (line[:LINE_CHARS_MAX] for line in text.split("\n"))
    # A lone surrogate cannot be stored as text.
    return "\n".join(lines).encode("utf-8", "backslashreplace").decode()


class _Tee:
    """A text stream that goes to the attempt's output. A body cannot close it."""

    def __init__(self, output: AttemptCapture, stream: PrintedStream, inner: TextIO) -> None:
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
    def __init__(self, sink: OutputSink) -> None:
        super().__init__()
        self._sink = sink

    def emit(self, record: logging.LogRecord) -> None:
        try:
            message = self.format(record)
        except Exception as broken:  # noqa: BLE001  formatting calls methods of the body
            # As the standard handlers do, a broken logging call does not fail its caller.
            message = f"{record.msg!r} (not formatted: {broken})"
        running = _current.get()
        self._sink.log(running.attempt if running else None, record, _storable(message))
