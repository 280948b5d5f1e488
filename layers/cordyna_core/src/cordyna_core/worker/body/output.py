"""Body output: descriptors 1 and 2, Python's streams and its logging, for attempts in turn.

Invariant: `sys.stdout`, `sys.stderr` and the log handler are the same objects for the whole life of
the process, because user code keeps references to them; what changes is where descriptors 1 and 2
lead. After `detach` nothing that was written before is left in a buffer.
"""

import contextlib
import ctypes
import io
import logging
import os
import sys
import traceback
from collections.abc import Callable
from json import dumps
from typing import Any, Final

from cordyna_core.basic_config import honor_basic_config, keep_info
from cordyna_core.worker.body.channel import high_descriptor, identity_of

TASK_LOGGER: Final = "cordyna.task"
_LINE_CHARS_MAX: Final = 64 * 1024
_CAPTURED: Final = "cordyna_captured"


class JsonFormatter(logging.Formatter):
    """A record as one line of JSON; a traceback is part of the message."""

    def format(self, record: logging.LogRecord) -> str:
        message = super().format(record)[:_LINE_CHARS_MAX]
        fields = {"level": record.levelname, "logger": record.name, "message": message}
        return dumps(fields)


_FORMATTERS: Final[dict[str, Callable[[], logging.Formatter]]] = {
    "text": lambda: logging.Formatter("%(levelname)s %(message)s"),
    "json": JsonFormatter,
}


class TaskLogHandler(logging.Handler):
    """Sends records to `write` while an attempt runs; a broken call shows its error on stderr."""

    def __init__(self, log_format: str) -> None:
        super().__init__()
        self.write: Callable[[str], None] | None = None
        self.setFormatter(_FORMATTERS[log_format]())

    def emit(self, record: logging.LogRecord) -> None:
        """Hand the record on, once, even if it passes both handlers of this class."""
        if self.write is None or getattr(record, _CAPTURED, False):
            return
        setattr(record, _CAPTURED, True)
        try:
            text = self.format(record)
        except Exception:  # noqa: BLE001  formatting calls user code
            self.handleError(record)
            return
        for line in text.split("\n"):
            self.write(line if line.startswith("{") else line[:_LINE_CHARS_MAX])

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802  logging's name
        """Show what is wrong, and where the call is: of the whole stack, most is not the user's."""
        if not logging.raiseExceptions:
            return
        with contextlib.suppress(Exception):  # The arguments may have no repr either.
            error = "".join(traceback.format_exception_only(sys.exception())).rstrip()
            sys.stderr.write(
                f"--- Logging error ---\n{error}\n"
                f'  File "{record.pathname}", line {record.lineno}, in {record.funcName}\n'
                f"Message: {record.msg!r}\nArguments: {record.args!r}\n"
            )


class _TaskLogger(logging.Logger):
    """The logger behind `ctx.log`: dictConfig can neither disable it nor take its handler away."""

    capture: TaskLogHandler

    @property
    def disabled(self) -> bool:
        return False

    @disabled.setter
    def disabled(self, value: bool) -> None:
        """Configuring other loggers does not switch this one off."""

    def getEffectiveLevel(self) -> int:  # noqa: N802  logging's name
        """INFO or the root logger's lower one, unless user code set a level on this very logger."""
        return self.level or min(logging.INFO, logging.root.level)

    def callHandlers(self, record: logging.LogRecord) -> None:  # noqa: N802  logging's name
        self.capture.handle(record)
        super().callHandlers(record)


def install(log_format: str = "text") -> TaskLogHandler:
    """Make the streams line-buffered UTF-8, and attach the log handler. Once per process."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # Undecodable text is shown escaped instead of failing the body that prints it.
            stream.reconfigure(encoding="utf-8", errors="backslashreplace", line_buffering=True)
    handler = TaskLogHandler(log_format)
    logging.getLogger().addHandler(handler)
    keep_info()
    honor_basic_config(handler)
    logger: Any = logging.getLogger(TASK_LOGGER)
    logger.__dict__.pop("disabled", None)
    logger.__class__ = _TaskLogger
    logger.capture = handler
    return handler


class AttemptStreams:
    """Leads descriptors 1 and 2 into an attempt's pipes and back."""

    def __init__(self, handler: TaskLogHandler) -> None:
        self._handler = handler
        self._streams = (sys.stdout, sys.stderr)
        self._libc = ctypes.CDLL(None)
        self._own = tuple(high_descriptor(os.dup(fd)) for fd in (1, 2))
        self._identities = tuple(map(identity_of, self._own))

    @property
    def fds(self) -> tuple[int, ...]:
        """The descriptors that this object owns."""
        return self._own

    def attach(self, fds: tuple[int, ...], write_log: Callable[[str], None]) -> None:
        """Send output into the two descriptors `fds`, which are closed here."""
        for target, fd in zip((1, 2), fds, strict=True):
            os.dup2(fd, target)
            os.close(fd)
        self._handler.write = write_log

    def detach(self) -> bool:
        """Flush everything and lead output back to the server's log. False if it cannot be."""
        self._handler.write = None
        self.flush()
        if tuple(map(identity_of, self._own)) != self._identities:
            for fd in (1, 2):
                with contextlib.suppress(OSError):
                    os.close(fd)
            return False
        for fd, target in zip(self._own, (1, 2), strict=True):
            os.dup2(fd, target)
        self.reopen_closed()
        return True

    def reopen_closed(self) -> None:
        """Open descriptors 0 to 2 where user code has closed them.

        Else whatever is opened next gets these numbers, and the output of everything.
        """
        for target, source in zip((0, 1, 2), (None, *self._own), strict=True):
            if identity_of(target) is not None:
                continue
            fd = os.open(os.devnull, os.O_RDONLY) if source is None else os.dup(source)
            if fd != target:
                os.dup2(fd, target)
                os.close(fd)
            else:
                os.set_inheritable(fd, True)  # noqa: FBT003

    def flush(self) -> None:
        """Write out what Python and C buffer, also in streams that user code put in place."""
        for name in ("stdout", "stderr"):
            # User code may have deleted a stream, closed it, or put any object in its place.
            with contextlib.suppress(Exception):
                getattr(sys, name).flush()
        for stream in self._streams:
            with contextlib.suppress(Exception):
                stream.flush()
        self._libc.fflush(None)
