"""Interrupts: SIGTERM as an exception in the body's main thread.

Invariant: the exception is raised only while user code runs, never inside a frame that is being
written, and at most once per attempt.
"""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager


class AttemptInterrupted(BaseException):
    """This attempt must stop: its run clock or a cancellation's grace has ended.

    Derives from BaseException, so that `except Exception` in a body does not catch it.
    """


class Interrupts:
    """The SIGTERM handler of a body."""

    def __init__(self) -> None:
        self._owner = os.getpid()
        self._is_running = False
        self._deferred = 0
        self._is_pending = False

    def install(self) -> None:
        """Handle SIGTERM. Only the main thread can."""
        signal.signal(signal.SIGTERM, self.handle)

    def is_installed(self) -> bool:
        """Return whether user code has left the handler in place."""
        return signal.getsignal(signal.SIGTERM) == self.handle

    @contextmanager
    def running(self) -> Iterator[None]:
        """User code runs inside."""
        self._is_pending = False
        self._is_running = True
        try:
            yield
        finally:
            self._is_running = False

    @contextmanager
    def deferred(self) -> Iterator[None]:
        """An interrupt that arrives inside is raised at the end."""
        self._deferred += 1
        try:
            yield
        finally:
            self._deferred -= 1
            # Also in another thread: there it stays pending until the main thread's next frame.
            if not self._deferred and self._is_pending and _is_main_thread():
                self._raise()

    def handle(self, signum: int, frame: object) -> None:
        """The signal handler."""
        if os.getpid() != self._owner:
            os._exit(128 + signum)
        if not self._is_running:
            raise SystemExit(0)
        self._is_pending = True
        if not self._deferred:
            self._raise()

    def _raise(self) -> None:
        self._is_pending = False
        if self._is_running:
            self._is_running = False
            raise AttemptInterrupted("the attempt was stopped by SIGTERM")


def _is_main_thread() -> bool:
    # The import is here because only bodies need threading.
    import threading  # noqa: PLC0415

    return threading.current_thread() is threading.main_thread()
