"""Chunk sink: the output of bodies that run in threads, as rows of the home's log.

Invariant: only what an attempt wrote becomes a row.
"""

import logging
from collections.abc import Callable

from cerebro.embedded.storage.event_log import LogChunk
from cordyna_core.attempt_output import AttemptId, PrintedStream
from cordyna_core.ports import Clock


class ChunkSink:
    """Implements OutputSink: every piece becomes a chunk."""

    def __init__(self, put: Callable[[LogChunk], None], clock: Clock) -> None:
        self._put, self._clock = put, clock

    def write(self, attempt: AttemptId, stream: PrintedStream, text: str) -> None:
        self._put(LogChunk(*attempt, self._clock(), stream, text))

    def log(self, attempt: AttemptId | None, record: logging.LogRecord, message: str) -> None:
        if attempt is not None:
            text = f"{record.levelname} {message}\n"
            self._put(LogChunk(*attempt, self._clock(), "log", text))
