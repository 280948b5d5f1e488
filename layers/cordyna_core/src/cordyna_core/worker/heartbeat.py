"""Heartbeat: when to ask whether a worker host is alive, and when it is stuck.

A host is lost when it has left a question unanswered for ANSWER_TIMEOUT_S. Its start is the first
question, answered when it is ready; each note that it waits for the host before it asks that anew.

Invariant: only the host's own silence counts. Left out are the time in which the pool was not
polled (its engine was stopped, or got no processor), and the time in which the host was ready to
run and did not run. So a host that is stopped, blocked or in an endless loop is found, and one on a
starved machine is not taken for it.
"""

from collections.abc import Callable
from typing import Final

from cordyna_core.worker.processes import Progress

PING_INTERVAL_S: Final = 1.0
ANSWER_TIMEOUT_S: Final = 10.0
_POLL_GAP_S: Final = 2.0
_STATES_OF_WAITING: Final = ("R", "D")
"""Runnable, or waiting for the disk, from which it is paged in."""


class Heartbeat:
    """The heartbeat of one host. `progress`: what its process has done so far, if that is known."""

    def __init__(self, now: float, progress: Callable[[], Progress | None]) -> None:
        self._progress = progress
        self._number = 0
        self._last_ask = self._last_poll = now
        self._asked_at: float | None = now
        self._sampled_at, self._cpu_s = now, 0.0

    def due(self, now: float) -> int | None:
        """Return the number of the ping to send now, if any."""
        gap, self._last_poll = now - self._last_poll, now
        if self._asked_at is not None:
            if gap > _POLL_GAP_S:
                self._asked_at += gap
                self._sampled_at = now
            elif now - self._sampled_at >= PING_INTERVAL_S:
                self._asked_at += self._waited_s(now)
            return None
        if now - self._last_ask < PING_INTERVAL_S:
            return None
        self._number += 1
        self._asked_at = self._last_ask = self._sampled_at = now
        progress = self._progress()
        self._cpu_s = progress.cpu_s if progress is not None else 0.0
        return self._number

    def _waited_s(self, now: float) -> float:
        """Return how long it has waited for the processor or the disk since the last sample."""
        passed_s, self._sampled_at = now - self._sampled_at, now
        progress = self._progress()
        if progress is None:
            return 0.0
        ran_s, self._cpu_s = progress.cpu_s - self._cpu_s, progress.cpu_s
        return max(0.0, passed_s - ran_s) if progress.state in _STATES_OF_WAITING else 0.0

    def answered(self, number: int) -> None:
        """The host has answered a ping; 0: it is ready."""
        if number == self._number:
            self._asked_at = None

    def note_waiting(self, now: float) -> None:
        """The host has started, and waits until the host before it has ended."""
        if self._number == 0:
            self._asked_at = self._sampled_at = now

    def is_late(self, now: float) -> bool:
        """Return whether the last question has waited too long for a host that gets its turn."""
        return self._asked_at is not None and now - self._last_ask > PING_INTERVAL_S

    def is_lost(self, now: float) -> bool:
        """Return whether the last question has waited too long."""
        return self._asked_at is not None and now - self._asked_at > ANSWER_TIMEOUT_S
