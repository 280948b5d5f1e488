"""Dev service: what `dyna dev` needs to run unattended: draining, a health check, JSON lines.

Invariant: the first SIGTERM stops the command in its own thread, so that it drains; the second
ends the process at once. What was cut then is resumed by the next start.
"""

import json
import logging
import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import FrameType
from typing import TYPE_CHECKING, Any, Final, NoReturn, TextIO

from cordyna_cli.engine import Engine
from cordyna_cli.output.sentences import wrap_sentence
from cordyna_cli.termination import terminable
from cordyna_cli.wording.format import plural
from cordyna_core.contract.time import rfc3339, utc
from cordyna_core.errors import UserError

if TYPE_CHECKING:  # as in the port
    from cordyna_core.contract.views.runs import LogLine, PassedEvent

_log = logging.getLogger("cordyna")

TURN_AGE_MAX_S: Final = 10.0
"""An engine whose last turn is older than this is not healthy."""

HOST: Final = "127.0.0.1"


class Terminated(BaseException):
    """SIGTERM. Not an Exception: nothing on the way may take it for an error."""


def draining_on_sigterm() -> AbstractContextManager[None]:
    """Raise Terminated in the block on the first SIGTERM; the next one ends the process."""
    return terminable(Terminated, _end_now)


@contextmanager
def ending_at_once() -> Iterator[None]:
    """End the process on any further SIGTERM or SIGINT in the block."""
    previous = signal.signal(signal.SIGINT, _end_now)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, previous)


def _end_now(number: int, frame: FrameType | None) -> NoReturn:
    """Exit with 0. The worker host notices that the engine is gone, and ends all bodies."""
    del number, frame
    os._exit(0)


def drain_engine(
    engine: Engine, within_s: float, show: Callable[["PassedEvent | LogLine"], None]
) -> None:
    """Start no further attempt, and wait for those that run; end them after `within_s`.

    Shows what happens meanwhile, and logs what is waited for and what is left.

    Does nothing for an engine that runs no bodies itself.
    """
    drain = getattr(engine, "drain", None)
    if drain is None:
        return
    active = plural(len(engine.driven_runs()), "run")
    _log.info(
        "draining for at most %g s: %s active; a second SIGTERM ends at once", within_s, active
    )
    drain(within_s, show)
    left = engine.driven_runs()
    if left:
        _log.info("%s continue%s with the next start", *_counted(len(left)))


def _counted(runs: int) -> tuple[str, str]:
    return plural(runs, "run"), "s" if runs == 1 else ""


def last_turn_s(engine: object) -> float | None:
    """Return seconds since the engine's last turn; None if this process does not drive."""
    answer = getattr(engine, "last_turn_s", None)
    return None if answer is None else answer()


@contextmanager
def health_check(port: int | None, last_turn_s: Callable[[], float | None]) -> Iterator[None]:
    """Answer GET /health on 127.0.0.1 while the block runs; nothing without a port.

    200 while the engine makes turns, else 503. Raises UserError if the port cannot be used.
    """
    if port is None:
        yield
        return
    try:
        server = ThreadingHTTPServer((HOST, port), _handler_for(last_turn_s))
    except OSError as refused:
        raise UserError(
            f"port {port} cannot be used for the health check.",
            why=refused.strerror or str(refused),
            next="choose another port: dyna dev --health PORT",
        ) from refused
    thread = threading.Thread(target=server.serve_forever, name="health", daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _handler_for(last_turn_s: Callable[[], float | None]) -> type[BaseHTTPRequestHandler]:
    class Health(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path != "/health":
                self._answer(404, {"status": "no such path: use /health"})
                return
            age_s = last_turn_s()
            if age_s is None:
                self._answer(503, {"status": "this process does not drive the home"})
            elif age_s > TURN_AGE_MAX_S:
                self._answer(503, {"status": "the engine makes no turns", "last_turn_s": age_s})
            else:
                self._answer(200, {"status": "ok", "last_turn_s": round(age_s, 3)})

        def _answer(self, status: int, content: dict[str, Any]) -> None:
            body = json.dumps(content).encode() + b"\n"
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  its name there
            """Requests are not logged."""

    return Health


@contextmanager
def logging_to(stream: TextIO, *, as_json: bool, width: int | None = None) -> Iterator[None]:
    """Write the log records of the engine to `stream` while the block runs.

    One a line; with `width`, text is broken between words.
    """
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonLogFormatter() if as_json else _TextLogFormatter(width))
    logger = logging.getLogger("cordyna")
    logger.addHandler(handler)
    before = (logger.propagate, logger.level)
    logger.propagate = False
    logger.setLevel(logging.INFO)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.propagate, level = before
        logger.setLevel(level)


class _TextLogFormatter(logging.Formatter):
    """A log record as its level and its message, and a traceback as it is."""

    def __init__(self, width: int | None) -> None:
        super().__init__("%(levelname)s %(message)s")
        self._width = width

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802  logging's name
        lines = super().formatMessage(record).splitlines()
        return "\n".join(part for line in lines for part in wrap_sentence(line, self._width))


class JsonLogFormatter(logging.Formatter):
    """A log record as one JSON object."""

    def format(self, record: logging.LogRecord) -> str:
        fields = {
            "time": rfc3339(utc(record.created)),
            "level": record.levelname.lower(),
            "message": record.getMessage(),
        }
        if record.exc_info:
            fields["traceback"] = self.formatException(record.exc_info)
        return json.dumps(fields, ensure_ascii=False)
