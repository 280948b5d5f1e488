"""Task log: what a task prints or logs becomes lines of JSON that name its attempt.

Invariant: a line is written as soon as it is complete, to the process's output (CloudWatch Logs,
where `dyna logs` finds it). Output that belongs to no attempt passes unchanged.
"""

import json
import logging
from contextlib import AbstractContextManager
from typing import Any, TextIO

from cordyna_core.attempt_output import AttemptCapture, AttemptId, PrintedStream
from cordyna_core.contract.commands import RunTask
from cordyna_core.contract.time import rfc3339, utc
from cordyna_core.ports import Clock


class TaskLog:
    """Writes all output of the process to `out`. Install one per process."""

    def __init__(self, out: TextIO, clock: Clock) -> None:
        self._output = AttemptCapture(_JsonLines(out, clock))

    def install(self) -> None:
        """Capture stdout, stderr and logging; the platform's own log handlers are removed."""
        logging.getLogger().handlers.clear()
        self._output.install()

    def attempt(self, command: RunTask) -> AbstractContextManager[None]:
        """Attribute what this thread prints inside to the attempt of `command`."""
        return self._output.of(command.run_id, command.task, command.attempt)


class _JsonLines:
    """Implements OutputSink."""

    def __init__(self, out: TextIO, clock: Clock) -> None:
        self._out, self._clock = out, clock

    def write(self, attempt: AttemptId, stream: PrintedStream, text: str) -> None:
        for line in filter(None, text.split("\n")):
            self._write(
                {"level": "INFO", "stream": stream, **_attempt_fields(attempt), "message": line}
            )

    def log(self, attempt: AttemptId | None, record: logging.LogRecord, message: str) -> None:
        self._write(
            {
                "level": record.levelname,
                "logger": record.name,
                "stream": "log",
                **_attempt_fields(attempt),
                "message": message,
            }
        )

    def _write(self, line: dict[str, Any]) -> None:
        # One write per line, so that lines of several threads do not mix.
        self._out.write(
            json.dumps({"timestamp": rfc3339(utc(self._clock())), **line}, ensure_ascii=False)
            + "\n"
        )
        self._out.flush()


def _attempt_fields(attempt: AttemptId | None) -> dict[str, Any]:
    return {} if attempt is None else {"correlation_id": attempt.run_id, **attempt._asdict()}
