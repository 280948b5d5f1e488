"""Restart pause: how long no host is started after hosts that ended while they started.

Invariant: a pause is twice as long as the one before it, within the limits of the settings, until a
host has been ready again.
"""

from collections.abc import Callable

from cordyna_core.worker.settings import Settings


class RestartPause:
    """The pause of one pool. `clock`: monotonic seconds."""

    def __init__(self, settings: Settings, clock: Callable[[], float]) -> None:
        self._settings, self._clock = settings, clock
        self._length_s = self._ends_at = 0.0

    def left_s(self) -> float:
        """Return how long no host may be started yet."""
        return max(0.0, self._ends_at - self._clock())

    def begin(self) -> None:
        """Pause from now on, twice as long as the last time."""
        longest_s, shortest_s = self._settings.restart_max_s, self._settings.restart_min_s
        self._length_s = min(longest_s, max(shortest_s, 2 * self._length_s))
        self._ends_at = self._clock() + self._length_s

    def reset(self) -> None:
        """Let a host be started at once, and the next pause be the shortest."""
        self._length_s = self._ends_at = 0.0
