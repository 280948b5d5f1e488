"""Task log: what a task prints or logs becomes lines of JSON that name its attempt.

Invariant: a line is written as soon as it is complete, to the process's output (CloudWatch Logs,
where `dyna logs` finds it). Output that belongs to no attempt passes unchanged.
"""

import json
import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, Final, Literal, TextIO

from cordyna_core.contract.commands import RunTask
from cordyna_core.contract.time import rfc3339, utc
from cordyna_core.ports import Clock

Stream = Literal["stdout", "stderr", "log"]


@dataclass(slots=True)
class _RunningAttempt:
    command: RunTask
    partial_lines: dict[Stream, str] = field(default_factory=dict)


_current: Final[ContextVar[_RunningAttempt | None]] = ContextVar("cordyna_attempt", default=None)


class TaskLogCapture:
    """Reads all output of the process. Install one per process."""

    def __init__(self, out: TextIO, clock: Clock) -> None:
        self._out, self._clock = out, clock

    def install(self) -> None:
        """Replace stdout, stderr and the handlers of the root logger."""
        sys.stdout = _Tee(self, "stdout", sys.stdout)
        sys.stderr = _Tee(self, "stderr", sys.stderr)
        logging.getLogger().handlers[:] = [_LogHandler(self)]
        logging.getLogger().setLevel(logging.INFO)

    @contextmanager
    def attempt(self, command: RunTask) -> Iterator[None]:
        """Attribute what this thread prints inside to the attempt of `command`."""
        current = _RunningAttempt(command)
        token = _current.set(current)
        try:
            yield
        finally:
            _current.reset(token)
            for stream, text in current.partial_lines.items():
                self._line(current, stream, text)

    def text(self, current: _RunningAttempt, stream: Stream, text: str) -> None:
        """Write the lines that `text` completes."""
        *lines, rest = (current.partial_lines.get(stream, "") + text).split("\n")
        current.partial_lines[stream] = rest
        for line in lines:
            self._line(current, stream, line)

    def record(self, record: logging.LogRecord, message: str) -> None:
        """Write a log record, of an attempt or of the server itself."""
        current = _current.get()
        self._write(
            {
                "level": record.levelname,
                "logger": record.name,
                "stream": "log",
                **_attempt_fields(current),
                "message": message,
            }
        )

    def _line(self, current: _RunningAttempt, stream: Stream, text: str) -> None:
        if text:
            self._write(
                {"level": "INFO", "stream": stream, **_attempt_fields(current), "message": text}
            )

    def _write(self, line: dict[str, Any]) -> None:
        # One write per line, so that lines of several threads do not mix.
        self._out.write(
            json.dumps({"timestamp": rfc3339(utc(self._clock())), **line}, ensure_ascii=False)
            + "\n"
        )
        self._out.flush()


def _attempt_fields(current: _RunningAttempt | None) -> dict[str, Any]:
    if current is None:
        return {}
    command = current.command
    return {
        "correlation_id": command.run_id,
        "run_id": command.run_id,
        "task": command.task,
        "attempt": command.attempt,
    }


class _Tee:
    """A text stream that attributes its text to the attempt that runs in this thread, if any."""

    def __init__(self, log: TaskLogCapture, stream: Stream, inner: TextIO) -> None:
        self._log, self._stream, self._inner = log, stream, inner

    def write(self, text: str) -> int:
        current = _current.get()
        if current is None:
            return self._inner.write(text)
        self._log.text(current, self._stream, text)
        return len(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


class _LogHandler(logging.Handler):
    """Writes records with their level; a traceback is part of the message."""

    def __init__(self, log: TaskLogCapture) -> None:
        super().__init__()
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        self._log.record(record, self.format(record))
