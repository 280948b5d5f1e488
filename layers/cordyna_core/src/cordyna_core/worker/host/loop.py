"""Loop: descriptors and timers in one selector, in one thread.

Invariant: a callback runs only while its descriptor is registered by the registration that became
ready. A callback may close descriptors of the same batch, and the number may be in use again.
"""

import heapq
import selectors
import time
from collections.abc import Callable
from typing import Final

Callback = Callable[[], None]

_LONGEST_WAIT_S: Final = 3600.0
_CANCELLED_MIN: Final = 64


class Timer:
    """A callback that is due at a time of the loop's clock."""

    __slots__ = ("_callback", "_timers", "due")

    def __init__(self, due: float, callback: Callback, timers: "LoopTimers") -> None:
        self.due = due
        self._callback: Callback | None = callback
        self._timers = timers

    def cancel(self) -> None:
        """Do not call. Safe to call again, even after the timer fired."""
        if self._callback is not None:
            self._callback = None
            self._timers.note_cancelled()

    @property
    def is_active(self) -> bool:
        return self._callback is not None

    def fire(self) -> None:
        """Call back once, unless cancelled."""
        callback, self._callback = self._callback, None
        if callback is not None:
            callback()


class LoopTimers:
    """Timers in the order in which they are due.

    Cancelled ones are dropped once they are the most: run clocks of short bodies would stay for as
    long as the bodies were allowed to take.
    """

    __slots__ = ("_cancelled", "_clock", "_count", "_heap")

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._heap: list[tuple[float, int, Timer]] = []
        self._count = 0
        self._cancelled = 0

    def __len__(self) -> int:
        """Return how many timers are kept, cancelled ones included."""
        return len(self._heap)

    def note_cancelled(self) -> None:
        """One of these timers was cancelled."""
        self._cancelled += 1
        if self._cancelled > _CANCELLED_MIN and 2 * self._cancelled > len(self._heap):
            self._heap = [entry for entry in self._heap if entry[2].is_active]
            heapq.heapify(self._heap)
            self._cancelled = 0

    def after(self, delay_s: float, callback: Callback) -> Timer:
        """Call `callback` once `delay_s` have passed."""
        timer = Timer(self._clock() + delay_s, callback, self)
        self._count += 1
        heapq.heappush(self._heap, (timer.due, self._count, timer))
        return timer

    def next_in(self) -> float | None:
        """Return seconds until the next timer is due, None without timers."""
        while self._heap and not self._heap[0][2].is_active:
            heapq.heappop(self._heap)
            self._cancelled = max(0, self._cancelled - 1)
        return max(0.0, self._heap[0][0] - self._clock()) if self._heap else None

    def fire_due(self) -> None:
        """Call what is due now. What a callback adds waits for the next call."""
        now = self._clock()
        due: list[Timer] = []
        while self._heap and self._heap[0][0] <= now:
            due.append(heapq.heappop(self._heap)[2])
        for timer in due:
            timer.fire()


class Loop:
    """A selector with timers."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.clock = clock
        self.timers: Final = LoopTimers(clock)
        self._selector: Final = selectors.DefaultSelector()
        # Not the selector's own map: it is slow, and asked several times for each attempt.
        self._registered: dict[int, selectors.SelectorKey] = {}
        self.at_turn_end: Callback = lambda: None

    def on_readable(self, fd: int, callback: Callback) -> None:
        """Call `callback` whenever `fd` can be read. Replaces the previous registration of `fd`."""
        self._set(fd, selectors.EVENT_READ, callback)

    def on_writable(self, fd: int, callback: Callback) -> None:
        """Call `callback` whenever `fd` can be written to."""
        self._set(fd, selectors.EVENT_WRITE, callback)

    def forget(self, fd: int) -> None:
        """Stop watching `fd`. Must be called before it is closed."""
        if self._registered.pop(fd, None) is not None:
            self._selector.unregister(fd)

    def _set(self, fd: int, events: int, callback: Callback) -> None:
        self.forget(fd)
        self._registered[fd] = self._selector.register(fd, events, callback)

    def turn(self) -> None:
        """Wait for the next descriptor or timer, and call back."""
        wait_s = self.timers.next_in()
        ready = self._selector.select(_LONGEST_WAIT_S if wait_s is None else wait_s)
        for key, _ in ready:
            if self._registered.get(key.fd) is key:
                key.data()
        self.timers.fire_due()
        self.at_turn_end()

    def close(self) -> None:
        """Release the selector."""
        self._selector.close()
