"""Body channel: a body's connection to the host.

Invariant: nothing is written to a descriptor that is not the connection any more: user code may
close any descriptor, and the number may then be a file of its own. A frame is written whole,
whatever signal arrives meanwhile; and only by the process that owns the connection.
"""

import array
import contextlib
import fcntl
import os
import resource
import select
import socket
import threading
from collections.abc import Iterator
from typing import Final

from cordyna_core.worker.interrupts import Interrupts
from cordyna_core.worker.protocol import (
    MAX_FRAME_BYTES,
    BadFrame,
    Frame,
    LineSplitter,
    Oversized,
    frame_bytes,
    parse_frame,
)

_HIGH_DESCRIPTOR: Final = 900
_READ_BYTES: Final = 256 * 1024
_RIGHTS_BYTES: Final = socket.CMSG_SPACE(2 * 4)


class ConnectionLost(OSError):
    """The host is gone, or user code closed the connection: this body cannot go on."""


class BodyChannel:
    """See the module. Frames are received by one thread, and sent by any."""

    def __init__(self, sock: socket.socket, interrupts: Interrupts) -> None:
        self._fd = high_descriptor(sock.detach())
        self._socket = socket.socket(fileno=self._fd)
        self._identity = identity_of(self._fd)
        self._interrupts = interrupts
        self._splitter = LineSplitter(limit=64 * 1024 * 1024)
        self._buffer = bytearray(_READ_BYTES)
        self._buffer_view = memoryview(self._buffer)
        self._frames: list[Frame] = []
        self._received_fds: list[int] = []
        # Reentrant: a signal handler of user code may publish while its thread does.
        self._lock = threading.RLock()
        self._owner = os.getpid()
        self.has_ended = False

    def fileno(self) -> int:
        """For a selector."""
        return self._fd

    def send(self, detail_type: str, detail: dict[str, object], **fields: object) -> None:
        """Send a frame. Does nothing in a forked child. Raises ConnectionLost."""
        self.send_line(frame_bytes(detail_type, dict(detail), **fields))

    def send_line(self, line: bytes) -> None:
        """Send a frame that is a line already. Does nothing in a forked child.

        Raises ConnectionLost; ValueError: the line is longer than 1 MB.
        """
        if os.getpid() != self._owner:
            return
        if len(line) > MAX_FRAME_BYTES:
            raise ValueError(f"a message of {len(line)} bytes is larger than {MAX_FRAME_BYTES}")
        with self._lock, self._interrupts.deferred():
            self._check()
            try:
                self._socket.sendall(line)
            except OSError as lost:
                raise ConnectionLost(*lost.args) from lost

    def receive(self) -> Frame:
        """Wait for the next frame. Raises ConnectionLost at the end of the connection."""
        # Not checked: the frame that was sent last was, and no user code has run since.
        while not self._frames:
            self._read()
        return self._frames.pop(0)

    def poll(self) -> list[Frame]:
        """Return the frames that have arrived, without waiting. Sets `has_ended` at the end."""
        if os.getpid() != self._owner:
            return []
        with self._lock:
            try:
                self._check()
                while select.select([self._fd], [], [], 0)[0]:
                    self._read()
            except ConnectionLost:
                self.has_ended = True
        frames, self._frames = self._frames, []
        return frames

    def take_fds(self, count: int) -> tuple[int, ...]:
        """Return the descriptors that came with the next frame.

        Raises ConnectionLost if they did not.
        """
        fds, self._received_fds = self._received_fds[:count], self._received_fds[count:]
        if len(fds) < count:
            raise ConnectionLost("a frame came without its descriptors")
        return tuple(fds)

    def close_in_child(self) -> None:
        """In a process that user code forked: leave the connection to the parent."""
        if identity_of(self._fd) == self._identity:
            self._socket.detach()
            os.close(self._fd)

    def _read(self) -> None:
        flags = getattr(socket, "MSG_CMSG_CLOEXEC", 0)
        try:
            size, rights, _, _ = self._socket.recvmsg_into([self._buffer], _RIGHTS_BYTES, flags)
        except OSError as lost:
            raise ConnectionLost(*lost.args) from lost
        data = bytes(self._buffer_view[:size])
        for _, _, raw in rights:
            fds = array.array("i", raw[: len(raw) - len(raw) % 4])
            if not flags:
                for fd in fds:
                    os.set_inheritable(fd, False)  # noqa: FBT003
            self._received_fds.extend(fds)
        if not data:
            raise ConnectionLost("the host closed the connection")
        self._frames.extend(_frames_of(self._splitter.feed(data)))

    def _check(self) -> None:
        if identity_of(self._fd) != self._identity:
            raise ConnectionLost("user code closed the connection to the host")


def high_descriptor(fd: int) -> int:
    """Move a descriptor to a high number, where user code seldom closes or reuses it."""
    soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    lowest = min(_HIGH_DESCRIPTOR, max(3, soft - 32)) if soft > 0 else _HIGH_DESCRIPTOR
    moved = fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, lowest)
    os.close(fd)
    return moved


def identity_of(fd: int) -> tuple[int, int] | None:
    """Return what a descriptor refers to, None if it is closed."""
    try:
        stat = os.fstat(fd)
    except OSError:
        return None
    return stat.st_dev, stat.st_ino


def _frames_of(lines: list[bytes | Oversized]) -> Iterator[Frame]:
    for line in lines:
        # The host sends well-formed frames; what a newer host adds is ignored.
        if not isinstance(line, Oversized):
            with contextlib.suppress(BadFrame):
                yield parse_frame(line)
