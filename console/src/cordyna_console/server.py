"""Server: the console on 127.0.0.1, in a thread of its own.

Invariant: it listens on a loopback address only.
"""

import asyncio
import os
import socket
import threading
import time
from pathlib import Path
from typing import Final, cast

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle

from cordyna_console.app import build_app
from cordyna_console.console import Console
from cordyna_console.console_file import LOOPBACK, ConsoleFile, opening_address
from cordyna_console.guard import ConsoleAccess
from cordyna_console.openings import Openings, cookie_of, new_token
from cordyna_core.errors import UserError

PORT: Final = 8420
PORTS_TRIED: Final = 10
REQUEST_WITHIN_S: Final = 10.0
HEADER_BYTES_MAX: Final = 64 * 1024
STOP_WITHIN_S: Final = 5.0


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
    """HTTP/1.1 that closes a connection whose next request does not arrive in time."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._late = self.loop.call_later(REQUEST_WITHIN_S, self._close_if_silent)

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._late.cancel()
        self._late = self.loop.call_later(REQUEST_WITHIN_S, self._close_if_silent)

    def _close_if_silent(self) -> None:
        # None until the first request.
        cycle = cast(RequestResponseCycle | None, self.cycle)
        is_answering = cycle is not None and not cycle.response_complete
        if not is_answering and not self.transport.is_closing():
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
        self._entry = ConsoleFile(self.port, os.getpid(), self._token)
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
        self._entry.add_to(self._file)
        self._thread.start()

    def stop(self) -> None:
        """Close streams and the socket, and remove the console from the file.

        Raises ServiceError when the file cannot be written.
        """
        self._server.should_exit = True
        if self._thread.is_alive():
            self._thread.join(STOP_WITHIN_S)
        self._socket.close()
        self._entry.remove_from(self._file)

    def address(self, path: str = "/") -> str:
        """Return an address that opens the console once, at `path`."""
        return opening_address(self.port, self.openings.issue(), path)

    def has_stopped(self) -> bool:
        """Return whether it answers no more."""
        return not self._thread.is_alive()

    def _is_stopping(self) -> bool:
        return self._server.should_exit

    def _run(self) -> None:
        asyncio.run(self._server.serve(sockets=[self._socket]))
