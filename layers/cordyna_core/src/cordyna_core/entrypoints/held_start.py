"""Held start: `started` of an attempt in a worker process, until it is due or its body has ended.

Invariant: a start that was not sent is in the end of its attempt.
"""

from collections.abc import Callable

from cordyna_core.contract.state_updates import TaskStateChanged
from cordyna_core.ports import Clock


class HeldStart:
    """The `started` of one attempt.

    `hold_s` returns for how long a start is held from a time on; 0: not at all.
    """

    def __init__(self, clock: Clock, hold_s: Callable[[float], float]) -> None:
        self._clock, self._hold_s = clock, hold_s
        self._message: TaskStateChanged | None = None
        self._due = 0.0

    def hold(self, message: TaskStateChanged) -> bool:
        """Hold a start, if it is to be held; return whether it is."""
        now = self._clock()
        hold_s = self._hold_s(now)
        if hold_s:
            self._message, self._due = message, now + hold_s
        return hold_s > 0

    def due_in_s(self) -> float | None:
        """Return the seconds until the held start is due; None: nothing is held."""
        return None if self._message is None else max(0.0, self._due - self._clock())

    def send(self, publish: Callable[[TaskStateChanged], bool]) -> None:
        """Publish what is held; if that fails, it is due once more, after as long."""
        if self._message is not None and not publish(self._message):
            now = self._clock()
            self._due = now + (self._hold_s(now) or 1.0)
        else:
            self._message = None

    def add_to(self, end: TaskStateChanged) -> TaskStateChanged:
        """Return the end of the attempt, which names when its body began if that is held.

        Nothing is held any more then.
        """
        held, self._message = self._message, None
        if held is None or held.meta is None:
            return end
        return end.model_copy(update={"started_at": held.meta.time})
