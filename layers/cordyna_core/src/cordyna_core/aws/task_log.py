"""Task log: what a task prints or logs becomes lines of JSON that name its attempt, so that `dyna logs` finds them.

Law: a line is written as soon as it is whole, to where the process's output goes (CloudWatch Logs); what no attempt says,
passes as it is.
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
class _Attempt:
    command: RunTask
    begun: dict[Stream, str] = field(default_factory=dict)


_current: Final[ContextVar[_Attempt | None]] = ContextVar("cordyna_attempt", default=None)


class TaskLogCapture:
    """Stands between the process and its output. Install one."""

    def __init__(self, out: TextIO, clock: Clock) -> None:
        self._out, self._clock = out, clock

    def install(self) -> None:
        """Take the place of stdout and stderr, and of whatever handles the root logger's records."""
        sys.stdout = _Tee(self, "stdout", sys.stdout)
        sys.stderr = _Tee(self, "stderr", sys.stderr)
        logging.getLogger().handlers[:] = [_LogHandler(self)]
        logging.getLogger().setLevel(logging.INFO)

    @contextmanager
    def of(self, command: RunTask) -> Iterator[None]:
        """Whatever is printed inside, in this thread, belongs to this attempt."""
        current = _Attempt(command)
        token = _current.set(current)
        try:
            yield
        finally:
            _current.reset(token)
            for stream, text in current.begun.items():
                self._line(current, stream, text)

    def text(self, current: _Attempt, stream: Stream, text: str) -> None:
        """Take text as it is printed."""
        *lines, rest = (current.begun.get(stream, "") + text).split("\n")
        current.begun[stream] = rest
        for line in lines:
            self._line(current, stream, line)

    def record(self, record: logging.LogRecord, message: str) -> None:
        """Take what was logged, by an attempt or by the server itself."""
        current = _current.get()
        self._write(
            {
                "level": record.levelname,
                "logger": record.name,
                "stream": "log",
                **_named(current),
                "message": message,
            }
        )

    def _line(self, current: _Attempt, stream: Stream, text: str) -> None:
        if text:
            self._write({"level": "INFO", "stream": stream, **_named(current), "message": text})

    def _write(self, line: dict[str, Any]) -> None:
        # One write per line: lines of several threads do not tear each other.
        self._out.write(
            json.dumps({"timestamp": rfc3339(utc(self._clock())), **line}, ensure_ascii=False)
            + "\n"
        )
        self._out.flush()


def _named(current: _Attempt | None) -> dict[str, Any]:
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
    """A text stream whose text goes to the attempt's log while one runs in this thread."""

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
    """The level is beside the message, and a traceback in it."""

    def __init__(self, log: TaskLogCapture) -> None:
        super().__init__()
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        self._log.record(record, self.format(record))
