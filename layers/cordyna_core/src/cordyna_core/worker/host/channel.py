"""Channel: lines over a non-blocking stream socket, in both directions, with descriptors outwards.

Invariant: sending never blocks; what the peer does not take waits in order. A channel that is
closed calls back no more.
"""

import array
import contextlib
import os
import socket
from collections import deque
from collections.abc import Callable, Sequence
from typing import Final

from cordyna_core.worker.host.loop import Loop
from cordyna_core.worker.protocol import LineSplitter, Oversized

# One for all channels, because they are read by one thread: a new one of this size for every read
# would be mapped and unmapped by the system.
_BUFFER: Final = bytearray(256 * 1024)
_BUFFER_VIEW: Final = memoryview(_BUFFER)


class Channel:
    """One end of a socket pair, inside a Loop."""

    def __init__(
        self,
        loop: Loop,
        sock: socket.socket,
        on_line: Callable[[bytes | Oversized], None],
        on_end: Callable[[], None],
        *,
        line_limit: int | None = None,
    ) -> None:
        sock.setblocking(False)  # noqa: FBT003
        self._loop, self._sock = loop, sock
        self.on_line, self.on_end = on_line, on_end
        self._splitter = LineSplitter() if line_limit is None else LineSplitter(line_limit)
        self._outgoing: deque[tuple[memoryview, tuple[int, ...]]] = deque()
        self.waiting_bytes = 0
        self.on_drained: Callable[[], None] | None = None
        self.is_closed = False
        self._is_reading = False
        self._write_fd = -1
        self.resume_reading()

    def pause_reading(self) -> None:
        """Leave incoming bytes in the socket, so that the sender waits."""
        if self._is_reading:
            self._loop.forget(self._sock.fileno())
            self._is_reading = False

    def resume_reading(self) -> None:
        """Undo `pause_reading`."""
        if not self._is_reading and not self.is_closed:
            self._loop.on_readable(self._sock.fileno(), self.read_available)
            self._is_reading = True

    def send(self, data: bytes, fds: Sequence[int] = ()) -> None:
        """Send `data`; the descriptors go with its first byte, and are closed here."""
        if self.is_closed:
            _close_all(fds)
            return
        if not self._outgoing:
            sent = self._send_some(data, fds)
            if sent == len(data):
                return
            data, fds = data[sent:], (() if sent else fds)
        self._outgoing.append((memoryview(data), tuple(fds)))
        self.waiting_bytes += len(data)
        self._watch_writable()

    def read_available(self) -> None:
        """Read once and call back for every complete line, or for the end of the stream."""
        try:
            data = bytes(_BUFFER_VIEW[: self._sock.recv_into(_BUFFER)])
        except BlockingIOError:
            return
        except OSError:  # reset by a peer that died with unread data
            data = b""
        if not data:
            self.close()
            self.on_end()
            return
        for line in self._splitter.feed(data):
            if self.is_closed:
                return
            self.on_line(line)

    def drain(self) -> None:
        """Read until nothing is left, however often that calls back."""
        while not self.is_closed and _has_data(self._sock):
            self.read_available()

    def close(self) -> None:
        """Close the socket. The peer reads the end of the stream."""
        if self.is_closed:
            return
        self.is_closed = True
        self._loop.forget(self._sock.fileno())
        self._unwatch_writable()
        self._sock.close()
        for _, fds in self._outgoing:
            _close_all(fds)
        self._outgoing.clear()
        self.waiting_bytes = 0

    def _send_some(self, data: bytes | memoryview, fds: Sequence[int]) -> int:
        """Return how many bytes the socket took.

        A peer that is gone takes all: its end is read later.
        """
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else []
        try:
            sent = self._sock.sendmsg([data], rights) if rights else self._sock.send(data)
        except BlockingIOError:
            return 0
        except OSError:
            sent = len(data)
        _close_all(fds)
        return sent

    def _watch_writable(self) -> None:
        if self._write_fd < 0:
            # A duplicate, because a selector knows each descriptor once, and this one is read too.
            self._write_fd = os.dup(self._sock.fileno())
            self._loop.on_writable(self._write_fd, self._write_available)

    def _unwatch_writable(self) -> None:
        if self._write_fd >= 0:
            self._loop.forget(self._write_fd)
            os.close(self._write_fd)
            self._write_fd = -1

    def _write_available(self) -> None:
        while self._outgoing:
            data, fds = self._outgoing.popleft()
            sent = self._send_some(data, fds)
            self.waiting_bytes -= sent
            if sent < len(data):
                self._outgoing.appendleft((data[sent:], () if sent else fds))
                break
        if not self._outgoing:
            self._unwatch_writable()
        if self.on_drained is not None:
            self.on_drained()


def _has_data(sock: socket.socket) -> bool:
    try:
        sock.recv(1, socket.MSG_PEEK)
    except BlockingIOError:
        return False
    except OSError:  # reset: reading it reports the end
        return True
    return True


def _close_all(fds: Sequence[int]) -> None:
    for fd in fds:
        with contextlib.suppress(OSError):
            os.close(fd)
