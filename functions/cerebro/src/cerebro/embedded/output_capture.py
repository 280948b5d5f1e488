"""Capture: what a task prints or logs goes to its log, and never tears the terminal.

Law: only what runs for an attempt is captured; what the command line itself writes, from the main thread, passes.
"""

import logging
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, Final, Literal, TextIO

from cerebro.embedded.descriptors import Descriptors
from cordyna_core.contract.time import utc
from cordyna_core.contract.views.runs import LogLine
from cordyna_core.ports import Clock

Stream = Literal["stdout", "stderr", "log", "shared"]

LONGEST_LINE: Final = 64 * 1024
"""Characters of one line that are kept."""

TASK_LOGGER: Final = "cordyna.task"


@dataclass(slots=True, eq=False)
class _Attempt:
    run_id: str
    task: str
    attempt: int
    begun: dict[Stream, str] = field(default_factory=dict)


_current: ContextVar[_Attempt | None] = ContextVar("cordyna_attempt", default=None)


class Capture:
    """Sends the lines of whatever attempt the current thread is running to `write`.

    `whole_process`: also what threads and processes of a task write, which can be told apart only while one task runs.
    """

    def __init__(
        self,
        write: Callable[[Sequence[LogLine]], None],
        clock: Clock,
        *,
        whole_process: bool = False,
    ) -> None:
        self._write, self._clock = write, clock
        self._handler = _LogHandler(self)
        self._restore: tuple[TextIO, TextIO] | None = None
        self._descriptors = Descriptors(self.unowned) if whole_process else None
        self._running: list[_Attempt] = []
        self._begun_by_threads: dict[tuple[int, Stream], str] = {}
        self._lock = threading.Lock()

    def install(self) -> None:
        """Stand between the process and its stdout, stderr and loggers."""
        real = self._descriptors.install() if self._descriptors else {}
        self._restore = (sys.stdout, sys.stderr)
        sys.stdout = _Tee(self, "stdout", real.get(1, sys.stdout))
        sys.stderr = _Tee(self, "stderr", real.get(2, sys.stderr))
        logging.getLogger().addHandler(self._handler)
        # Else what a body logs as `info` would be dropped by the root logger's level.
        if logging.getLogger(TASK_LOGGER).level == logging.NOTSET:
            logging.getLogger(TASK_LOGGER).setLevel(logging.INFO)

    def remove(self) -> None:
        """Undo `install`."""
        logging.getLogger().removeHandler(self._handler)
        if self._restore is not None:
            sys.stdout, sys.stderr = self._restore
            self._restore = None
        if self._descriptors:
            self._descriptors.remove()

    @contextmanager
    def of(self, run_id: str, task: str, attempt: int) -> Iterator[None]:
        """Whatever is printed inside belongs to this attempt."""
        current = _Attempt(run_id, task, attempt)
        token = _current.set(current)
        with self._lock:
            self._running.append(current)
        try:
            yield
        finally:
            self.flush()
            _current.reset(token)
            with self._lock:
                # The last one is kept: what its processes wrote may still be on its way through the pipe.
                if len(self._running) > 1:
                    self._running.remove(current)

    def flush(self) -> None:
        """Write what the attempt of this thread has begun to print."""
        current = _current.get()
        if current is not None and current.begun:
            self._write(
                [
                    self._line(current, stream, text)
                    for stream, text in current.begun.items()
                    if text
                ]
            )
            current.begun.clear()

    def text(self, stream: Stream, text: str) -> bool:
        """Take text as it is printed; whole lines are written at once. Returns whether it belongs to an attempt."""
        current = _current.get()
        if current is None:
            if threading.current_thread() is threading.main_thread():
                return False
            key = (threading.get_ident(), stream)
            *lines, self._begun_by_threads[key] = (
                self._begun_by_threads.get(key, "") + text
            ).split("\n")
            for line in lines:
                self.unowned("stdout" if stream == "stdout" else "stderr", line)
            return True
        *lines, rest = (current.begun.get(stream, "") + text).split("\n")
        current.begun[stream] = rest
        if lines:
            self._write([self._line(current, stream, line) for line in lines])
        return True

    def unowned(self, stream: Literal["stdout", "stderr"], line: str) -> None:
        """A line of some thread or process: of the one task that runs, or of one of those that do."""
        with self._lock:
            running = list(self._running)
        told: Stream = stream if len(running) == 1 else "shared"
        self._write([self._line(each, told, line) for each in running])

    def _line(self, current: _Attempt, stream: Stream, text: str) -> LogLine:
        # A lone surrogate is no text that could be kept.
        kept = text[:LONGEST_LINE].encode("utf-8", "replace").decode()
        return LogLine(
            run_id=current.run_id,
            task=current.task,
            attempt=current.attempt,
            at=utc(self._clock()),
            stream=stream,
            text=kept,
        )


class _Tee:
    """A text stream that goes to the attempt's log while one runs in this thread. A body cannot close it."""

    def __init__(self, capture: Capture, stream: Stream, inner: TextIO) -> None:
        self._capture, self._stream, self._inner = capture, stream, inner

    def write(self, text: str) -> int:
        return len(text) if self._capture.text(self._stream, text) else self._inner.write(text)

    @property
    def buffer(self) -> "_Bytes":
        """For those who write bytes."""
        return _Bytes(self)

    def close(self) -> None:
        """Stays open: it is not the body's."""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


class _Bytes:
    """The binary side of a tee."""

    def __init__(self, tee: _Tee) -> None:
        self._tee = tee

    def write(self, data: bytes) -> int:
        self._tee.write(bytes(data).decode("utf-8", "replace"))
        return len(data)

    def flush(self) -> None:
        self._tee.flush()


class _LogHandler(logging.Handler):
    def __init__(self, capture: Capture) -> None:
        super().__init__()
        self._capture = capture
        self.setFormatter(logging.Formatter("%(levelname)s %(message)s"))

    def emit(self, record: logging.LogRecord) -> None:
        if _current.get() is not None:
            self._capture.text("log", self.format(record) + "\n")
