"""Server: the console on 127.0.0.1, and the file by which `dyna open` finds it.

Invariant: it listens on a loopback address only. The file holds the token and is the user's alone.
"""

import asyncio
import json
import os
import socket
import threading
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, Self
from urllib.parse import quote

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from cordyna_console.app import build_app
from cordyna_console.console import Console
from cordyna_console.guard import ConsoleAccess
from cordyna_console.openings import Openings, cookie_of, new_token
from cordyna_core.errors import ServiceError, UserError

LOOPBACK: Final = "127.0.0.1"
PORT: Final = 8420
PORTS_TRIED: Final = 10
REQUEST_WITHIN_S: Final = 10.0
HEADER_BYTES_MAX: Final = 64 * 1024
STOP_WITHIN_S: Final = 5.0


@dataclass(frozen=True, slots=True)
class ConsoleFile:
    """Where a console of this home is: written with mode 0600."""

    port: int
    pid: int
    token: str

    def write(self, path: Path) -> None:
        """Raises ServiceError when the folder cannot be written."""
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            fresh = path.with_name(f"{path.name}.{os.getpid()}")
            descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(descriptor, "w") as file:
                json.dump(asdict(self), file)
            fresh.replace(path)
        except OSError as refused:
            raise ServiceError(
                f"{path} could not be written: {refused.strerror}.",
                next="set CORDYNA_HOME to a folder that you may write to",
            ) from refused

    @classmethod
    def read(cls, path: Path) -> Self | None:
        """What the file says; None when there is none, or it cannot be read."""
        try:
            found: dict[str, Any] = json.loads(path.read_text())
            return cls(port=int(found["port"]), pid=int(found["pid"]), token=str(found["token"]))
        except (OSError, ValueError, KeyError, TypeError):
            return None


def bind(port: int | None) -> socket.socket:
    """Listen on loopback: on `port`, or without one on 8420, the next ones, or any.

    Raises:
        UserError: the port that was asked for is taken.
    """
    tried = [port] if port is not None else [*range(PORT, PORT + PORTS_TRIED), 0]
    for candidate in tried:
        listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listening.bind((LOOPBACK, candidate))
            listening.listen(128)
        except OSError as taken:
            listening.close()
            reason = taken.strerror
            continue
        return listening
    raise UserError(
        f"the console could not listen on port {port}: {reason}.",
        next="leave --port out, or name another",
    )


class PunctualProtocol(H11Protocol):
    """HTTP/1.1 that closes a connection whose request does not arrive in time."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._late = self.loop.call_later(REQUEST_WITHIN_S, self._close_if_silent)

    def _close_if_silent(self) -> None:
        if self.cycle is None and not self.transport.is_closing():
            self.transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        self._late.cancel()
        super().connection_lost(exc)


class ConsoleServer:
    """The console in a thread of its own, from `start` to `stop`."""

    def __init__(self, console: Console, file: Path, *, port: int | None = None) -> None:
        self._socket = bind(port)
        self.port: int = self._socket.getsockname()[1]
        self._file = file
        before = ConsoleFile.read(file)
        # The same token after a restart: what was opened stays open.
        self._token = before.token if before is not None else new_token()
        self.openings = Openings(time.monotonic)
        access = ConsoleAccess(
            port=self.port, token=self._token, cookie=cookie_of(self._token, self.port)
        )
        app = build_app(console, lambda: access, openings=self.openings, stopping=self._is_stopping)
        config = uvicorn.Config(
            app,
            http=PunctualProtocol,
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            h11_max_incomplete_event_size=HEADER_BYTES_MAX,
            timeout_graceful_shutdown=2,
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._run, name="console", daemon=True)

    def start(self) -> None:
        """Answer from now on. Raises ServiceError when the file cannot be written."""
        ConsoleFile(self.port, os.getpid(), self._token).write(self._file)
        self._thread.start()

    def stop(self) -> None:
        """Close streams and the socket. The file stays: its token is used by the next console."""
        self._server.should_exit = True
        if self._thread.is_alive():
            self._thread.join(STOP_WITHIN_S)
        self._socket.close()

    def address(self, path: str = "/") -> str:
        """An address that opens the console once, at `path`."""
        return opening_address(self.port, self.openings.issue(), path)

    def wait(self) -> None:
        """Until it has stopped."""
        while self._thread.is_alive():
            self._thread.join(0.5)

    def _is_stopping(self) -> bool:
        return self._server.should_exit

    def _run(self) -> None:
        asyncio.run(self._server.serve(sockets=[self._socket]))


def opening_address(port: int, code: str, path: str = "/") -> str:
    """The address of a code; `path` is where it leads."""
    to = "" if path == "/" else f"&to={quote(path, safe='')}"
    return f"http://{LOOPBACK}:{port}/open?code={code}{to}"
