"""Capture: what a task prints or logs goes to its log, and never tears the terminal.

Law: only what runs for an attempt is captured; everything else prints as ever.
"""

import logging
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, Literal, TextIO

from cordyna_core.contract.envelope import utc
from cordyna_core.contract.views import LogLine
from cordyna_core.ports import Clock

Stream = Literal["stdout", "stderr", "log"]


@dataclass(slots=True)
class _Attempt:
    run_id: str
    task: str
    attempt: int
    begun: dict[Stream, str] = field(default_factory=dict)


_current: ContextVar[_Attempt | None] = ContextVar("cordyna_attempt", default=None)


class Capture:
    """Sends the lines of whatever attempt the current thread is running to `write`."""

    def __init__(self, write: Callable[[Sequence[LogLine]], None], clock: Clock) -> None:
        self._write, self._clock = write, clock
        self._handler = _LogHandler(self)
        self._restore: tuple[TextIO, TextIO] | None = None

    def install(self) -> None:
        """Stand between the process and its stdout, stderr and root logger."""
        self._restore = (sys.stdout, sys.stderr)
        sys.stdout = _Tee(self, "stdout", sys.stdout)
        sys.stderr = _Tee(self, "stderr", sys.stderr)
        logging.getLogger().addHandler(self._handler)

    def remove(self) -> None:
        """Undo `install`."""
        logging.getLogger().removeHandler(self._handler)
        if self._restore is not None:
            sys.stdout, sys.stderr = self._restore
            self._restore = None

    @contextmanager
    def of(self, run_id: str, task: str, attempt: int) -> Iterator[None]:
        """Whatever is printed inside belongs to this attempt."""
        current = _Attempt(run_id, task, attempt)
        token = _current.set(current)
        try:
            yield
        finally:
            self.flush()
            _current.reset(token)

    def flush(self) -> None:
        """Write what the attempt of this thread has begun to print."""
        current = _current.get()
        if current is not None and current.begun:
            self._write([self._line(current, stream, text) for stream, text in current.begun.items() if text])
            current.begun.clear()

    def text(self, current: _Attempt, stream: Stream, text: str) -> None:
        """Take text as it is printed; whole lines are written at once."""
        *lines, rest = (current.begun.get(stream, "") + text).split("\n")
        current.begun[stream] = rest
        if lines:
            self._write([self._line(current, stream, line) for line in lines])

    def _line(self, current: _Attempt, stream: Stream, text: str) -> LogLine:
        return LogLine(run_id=current.run_id, task=current.task, attempt=current.attempt, at=utc(self._clock()), stream=stream, text=text)


class _Tee:
    """A text stream that goes to the attempt's log while one runs in this thread."""

    def __init__(self, capture: Capture, stream: Stream, inner: TextIO) -> None:
        self._capture, self._stream, self._inner = capture, stream, inner

    def write(self, text: str) -> int:
        current = _current.get()
        if current is None:
            return self._inner.write(text)
        self._capture.text(current, self._stream, text)
        return len(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


class _LogHandler(logging.Handler):
    def __init__(self, capture: Capture) -> None:
        super().__init__()
        self._capture = capture
        self.setFormatter(logging.Formatter("%(levelname)s %(message)s"))

    def emit(self, record: logging.LogRecord) -> None:
        current = _current.get()
        if current is not None:
            self._capture.text(current, "log", self.format(record) + "\n")
