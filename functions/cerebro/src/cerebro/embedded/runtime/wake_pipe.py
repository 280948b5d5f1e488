"""Wake pipe: interrupts the driver while it waits, from any thread.

Until a descriptor is watched, a queue in memory does the same without system calls. With bodies in
threads that matters: a system call lets another thread run, so the driver would take each message
of a body alone, in a transaction of its own.

Invariant: a wake-up between the decision to wait and the wait itself is not lost.
"""

import contextlib
import os
import selectors
import threading
from queue import Empty, SimpleQueue


class WakePipe:
    """A wait that any thread can end, and that watched descriptors end."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._wakes: SimpleQueue[None] = SimpleQueue()
        self._pipe: _Pipe | None = None
        self._is_closed = False

    def watch(self, descriptor: int) -> None:
        """Return from `wait` also when this descriptor is readable. For the thread that waits."""
        with self._lock:
            if self._pipe is None:
                self._pipe = _Pipe()
                # It may have been woken before: then the next wait ends at once.
                self._pipe.wake()
        self._pipe.watch(descriptor)

    def wake(self) -> None:
        """End the current wait, or the next one. Any thread may."""
        if self._pipe is None:
            # Nothing is lost if a pipe is made at this moment: `watch` wakes it.
            self._wakes.put(None)
            return
        with self._lock:
            # After `close`, the number may belong to another file.
            if not self._is_closed:
                self._pipe.wake()

    def wait(self, timeout_s: float) -> None:
        """Wait until woken, a descriptor is readable, or the time has passed."""
        if self._pipe is not None:
            self._pipe.wait(timeout_s)
            return
        with contextlib.suppress(Empty):
            self._wakes.get(timeout=timeout_s)
            while True:
                self._wakes.get_nowait()

    def close(self) -> None:
        """Close the pipe. Later calls of `wake` and `close` do nothing."""
        with self._lock:
            if self._pipe is not None and not self._is_closed:
                self._pipe.close()
            self._is_closed = True


class _Pipe:
    """A selector with a pipe of its own, and descriptors that are added to it."""

    def __init__(self) -> None:
        self._reader, self._writer = os.pipe()
        os.set_blocking(self._reader, False)
        os.set_blocking(self._writer, False)
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._reader, selectors.EVENT_READ)

    def watch(self, descriptor: int) -> None:
        self._selector.register(descriptor, selectors.EVENT_READ)

    def wake(self) -> None:
        with contextlib.suppress(BlockingIOError):  # It is full of wake-ups already.
            os.write(self._writer, b"\0")

    def wait(self, timeout_s: float) -> None:
        for key, _ in self._selector.select(timeout_s):
            if key.fd == self._reader:
                self._drain()

    def _drain(self) -> None:
        try:
            while os.read(self._reader, 4096):
                pass
        except BlockingIOError:
            return

    def close(self) -> None:
        self._selector.close()
        os.close(self._reader)
        os.close(self._writer)
