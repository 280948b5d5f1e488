"""Wake pipe: interrupts the driver while it waits, from any thread.

Invariant: a wake-up between the decision to wait and the wait itself is not lost.
"""

import contextlib
import os
import selectors
import threading


class WakePipe:
    """A selector with a pipe of its own, and descriptors that are added to it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._reader, self._writer = os.pipe()
        os.set_blocking(self._reader, False)
        os.set_blocking(self._writer, False)
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._reader, selectors.EVENT_READ)

    def watch(self, descriptor: int) -> None:
        """Return from `wait` also when this descriptor is readable."""
        self._selector.register(descriptor, selectors.EVENT_READ)

    def wake(self) -> None:
        """End the current wait, or the next one. Any thread may."""
        with self._lock:
            # After `close`, the number may belong to another file.
            if self._writer >= 0:
                with contextlib.suppress(BlockingIOError):  # It is full of wake-ups already.
                    os.write(self._writer, b"\0")

    def wait(self, timeout_s: float) -> None:
        """Wait until woken, a descriptor is readable, or the time has passed."""
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
        """Close the pipe. Later calls of `wake` do nothing."""
        self._selector.close()
        with self._lock:
            os.close(self._reader)
            os.close(self._writer)
            self._writer = -1
