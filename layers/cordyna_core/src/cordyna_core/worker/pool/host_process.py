"""Host process: starting a worker host, talking to it, and ending all that it started.

Invariant: after `end`, nothing that descends from the host is left, whatever state it was in.
"""

import json
import os
import select
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

from cordyna_core.environment import WORKER_HOST_VARIABLE
from cordyna_core.worker import processes
from cordyna_core.worker.protocol import LineSplitter, Oversized
from cordyna_core.worker.settings import Settings

_SOURCES: Final = str(Path(__file__).parents[3])
# -I and -S: neither environment variables nor site packages of users take part in the host.
_BOOT: Final = (
    f"import sys; sys.path.append({_SOURCES!r});"
    " from cordyna_core.worker.host.host import main; main()"
)
_BUFFER_BYTES: Final = 1024 * 1024
_READ_BYTES: Final = 256 * 1024
_LINE_BYTES_MAX: Final = 64 * 1024 * 1024
# Made once: `json.dumps` with separators makes an encoder each time, and `json.loads` guesses the
# encoding of bytes.
_encode: Final = json.JSONEncoder(separators=(",", ":")).encode
_decode: Final = json.JSONDecoder().decode


class HostLostError(OSError):
    """The host has ended, or takes nothing more."""


class HostProcess:
    """One running host."""

    def __init__(self, lock_path: str, token: str, settings: Settings, *, send_timeout_s: float):
        self.token = token
        self._send_timeout_s = send_timeout_s
        ours, theirs = socket.socketpair()
        arguments = [str(theirs.fileno()), lock_path, token, settings.to_json()]
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-S", "-c", _BOOT, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                pass_fds=(theirs.fileno(),),
                start_new_session=True,
            )
        ours.setblocking(False)  # noqa: FBT003
        ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _BUFFER_BYTES)
        ours.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER_BYTES)
        self._socket = ours
        self._splitter = LineSplitter(_LINE_BYTES_MAX)
        self._buffer = bytearray(_READ_BYTES)
        self._buffer_view = memoryview(self._buffer)

    @property
    def pid(self) -> int:
        return self._process.pid

    def progress(self) -> processes.Progress | None:
        """Return what its process does now, if that can be known."""
        return processes.progress_of(self.pid)

    def fileno(self) -> int:
        """Return the socket, for a selector."""
        return self._socket.fileno()

    def send(self, request: dict[str, Any], frame: bytes = b"") -> None:
        """Send a request, with the frame of a command. Raises HostLostError."""
        header = {**request, "has_frame": True} if frame else request
        data = memoryview(_encode(header).encode() + b"\n" + frame)
        while data:
            try:
                data = data[self._socket.send(data) :]
            except BlockingIOError:
                # The host reads at any time, unless it hangs.
                if not select.select([], [self._socket], [], self._send_timeout_s)[1]:
                    raise HostLostError("it took no request") from None
            except OSError as lost:
                raise HostLostError(f"it has ended ({self._exit_text()})") from lost

    def receive(self) -> list[dict[str, Any]]:
        """Return the events that have arrived, without waiting. Raises HostLostError at the end."""
        events: list[dict[str, Any]] = []
        try:
            data = bytes(self._buffer_view[: self._socket.recv_into(self._buffer)])
        except BlockingIOError:
            return events
        except OSError:
            data = b""
        if not data:
            raise HostLostError(f"it has ended ({self._exit_text()})")
        for line in self._splitter.feed(data):
            assert not isinstance(line, Oversized), "the host bounds its events"
            events.append(_decode(line.decode("utf-8", "surrogatepass")))
        return events

    def wait_for_end(self, timeout_s: float) -> None:
        """Wait until a host that was asked to close has ended; end it by force after that."""
        try:
            self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self.end()
        self._socket.close()

    def end(self) -> None:
        """Kill the host and all that descends from it."""
        descendants = processes.descendants_of([self.pid])
        if self._process.poll() is None:
            os.kill(self.pid, signal.SIGKILL)
        processes.kill_all(descendants)
        self._process.wait()
        self._socket.close()
        # What is not a descendant any more still has the host's token in its environment.
        processes.kill_marked(f"{WORKER_HOST_VARIABLE}={self.token}")

    def _exit_text(self) -> str:
        try:
            return processes.describe_exit(self._process.wait(1))
        except subprocess.TimeoutExpired:
            return "its process still runs"
