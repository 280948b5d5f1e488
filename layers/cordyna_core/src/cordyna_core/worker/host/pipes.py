"""Pipes: reading what bodies write, and writing to the input of `exec:` workers.

Invariant: a pipe is read at most once per `rest_s` unless it is full, so that a body that writes
byte by byte costs the host a hundred reads a second. Nothing here blocks.
"""

import os
from collections.abc import Callable
from typing import Final

from cordyna_core.worker.host.engine_link import EngineLink
from cordyna_core.worker.host.loop import Loop, Timer

_READ_BYTES: Final = 64 * 1024
_DRAIN_BYTES_MAX: Final = 1024 * 1024
"""More than a pipe can hold for an ordinary user: a drain ends although a writer continues."""


class OutputPipe:
    """The reading end of a pipe.

    `feed(data)` takes what is read, and returns whether more may wait for `rest_s`.
    """

    def __init__(
        self,
        loop: Loop,
        link: EngineLink,
        fd: int,
        *,
        feed: Callable[[bytes], bool],
        on_end: Callable[[], None],
        rest_s: float,
    ) -> None:
        os.set_blocking(fd, False)
        self._loop, self._link, self._fd = loop, link, fd
        self._feed, self._on_end, self._rest_s = feed, on_end, rest_s
        self._resting: Timer | None = None
        self._is_paused = False
        link.add_output(self)

    @property
    def is_open(self) -> bool:
        return self._fd >= 0

    def read_soon(self) -> None:
        """Begin to read after a rest. Most attempts end before, and then need no registration."""
        if self.is_open and self._resting is None:
            self._loop.forget(self._fd)
            self._resting = self._loop.timers.after(self._rest_s, self._rested)

    def pause_reading(self) -> None:
        """Leave what comes in the pipe."""
        self._is_paused = True
        if self.is_open:
            self._loop.forget(self._fd)

    def resume_reading(self) -> None:
        """Undo `pause_reading`."""
        self._is_paused = False
        if self._resting is None:
            self._watch()

    def drain(self) -> None:
        """Read what is in the pipe now."""
        for _ in range(_DRAIN_BYTES_MAX // _READ_BYTES):
            if not self.is_open or not self._read():
                return

    def close(self) -> None:
        """Stop reading. A process that still writes gets SIGPIPE."""
        if not self.is_open:
            return
        self._loop.forget(self._fd)
        if self._resting is not None:
            self._resting.cancel()
        os.close(self._fd)
        self._fd = -1
        self._link.remove_source(self)

    def _watch(self) -> None:
        if self.is_open and not self._is_paused:
            self._loop.on_readable(self._fd, self._readable)

    def _rested(self) -> None:
        self._resting = None
        self._watch()

    def _readable(self) -> None:
        self._read()

    def _read(self) -> bool:
        """Read once. Whether the pipe may hold more."""
        try:
            data = os.read(self._fd, _READ_BYTES)
        except BlockingIOError:
            return False
        if not data:
            self.close()
            self._on_end()
            return False
        self._link.note_read(self)
        may_rest = self._feed(data)
        if may_rest and len(data) < _READ_BYTES:
            self.read_soon()
        return True


class InputPipe:
    """The writing end of a pipe; what the reader does not take waits."""

    def __init__(self, loop: Loop, fd: int) -> None:
        os.set_blocking(fd, False)
        self._loop, self._fd = loop, fd
        self._waiting = bytearray()

    def write(self, data: bytes) -> None:
        """Write in order. A reader that is gone takes nothing: its end is noticed elsewhere."""
        if self._fd >= 0:
            self._waiting += data
            self._write_some()

    def close(self) -> None:
        """The reader reads the end of its input."""
        if self._fd >= 0:
            self._loop.forget(self._fd)
            os.close(self._fd)
            self._fd = -1

    def _write_some(self) -> None:
        try:
            while self._waiting:
                del self._waiting[: os.write(self._fd, self._waiting)]
        except BlockingIOError:
            self._loop.on_writable(self._fd, self._write_some)
            return
        except BrokenPipeError:
            self._waiting.clear()
        self._loop.forget(self._fd)
