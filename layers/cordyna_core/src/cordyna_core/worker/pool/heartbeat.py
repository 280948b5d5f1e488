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

from cordyna_core.worker.cpu_wait import CpuWait
from cordyna_core.worker.processes import Progress

PING_INTERVAL_S: Final = 1.0
ANSWER_TIMEOUT_S: Final = 10.0
_POLL_GAP_S: Final = 2.0


class Heartbeat:
    """The heartbeat of one host. `progress`: what its process has done so far, if that is known."""

    def __init__(self, now: float, progress: Callable[[], Progress | None]) -> None:
        self._wait = CpuWait(now, progress)
        self._number = 0
        self._last_ask = self._last_poll = now
        self._asked_at: float | None = now

    def due(self, now: float) -> int | None:
        """Return the number of the ping to send now, if any."""
        gap, self._last_poll = now - self._last_poll, now
        if self._asked_at is not None:
            if gap > _POLL_GAP_S:
                self._asked_at += gap
                self._wait.skip(now)
            elif self._wait.age_s(now) >= PING_INTERVAL_S:
                self._asked_at += self._wait.take_s(now)
            return None
        if now - self._last_ask < PING_INTERVAL_S:
            return None
        self._number += 1
        self._asked_at = self._last_ask = now
        self._wait.restart(now)
        return self._number

    def answered(self, number: int) -> None:
        """The host has answered a ping; 0: it is ready."""
        if number == self._number:
            self._asked_at = None

    def note_waiting(self, now: float) -> None:
        """The host has started, and waits until the host before it has ended."""
        if self._number == 0:
            self._asked_at = now
            self._wait.skip(now)

    def is_late(self, now: float) -> bool:
        """Return whether the last question has waited too long for a host that gets its turn."""
        return self._asked_at is not None and now - self._last_ask > PING_INTERVAL_S

    def is_lost(self, now: float) -> bool:
        """Return whether the last question has waited too long."""
        return self._asked_at is not None and now - self._asked_at > ANSWER_TIMEOUT_S
