"""Cancellation: whether an attempt shall stop.

A body reads it; an `async def` body is interrupted by it.

Invariant: nothing polls here. What knows of a cancellation calls back.
"""

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop


@runtime_checkable
class Cancellation(Protocol):
    """What `TaskServer.run(cancelled=...)` takes, if it can interrupt an `async def` body."""

    def __call__(self) -> bool:
        """Return whether the attempt shall stop."""

    def watch(self, loop: "AbstractEventLoop", interrupt: Callable[[], None]) -> Callable[[], None]:
        """Call `interrupt` in the thread of `loop` once the attempt shall stop, or does already.

        Returns a function that ends the watch.
        """


class CancellationFlag:
    """A Cancellation that another thread of this process requests."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._is_requested = False
        self._interrupts: list[Callable[[], None]] = []

    def __call__(self) -> bool:
        return self._is_requested

    def request(self) -> None:
        """Ask the attempt to stop. Safe to call again, and from any thread."""
        with self._lock:
            self._is_requested = True
            interrupts, self._interrupts = self._interrupts, []
        for interrupt in interrupts:
            interrupt()

    def watch(self, loop: "AbstractEventLoop", interrupt: Callable[[], None]) -> Callable[[], None]:
        def interrupt_in_loop() -> None:
            loop.call_soon_threadsafe(interrupt)

        with self._lock:
            if not self._is_requested:
                self._interrupts.append(interrupt_in_loop)
                return lambda: self._forget(interrupt_in_loop)
        loop.call_soon(interrupt)
        return lambda: None

    def _forget(self, interrupt: Callable[[], None]) -> None:
        with self._lock:
            if interrupt in self._interrupts:
                self._interrupts.remove(interrupt)
