"""Acknowledgement: `queued` by the pool, for commands of which its living host has said nothing.

A host that starts, loads its servers or gets no processor cannot acknowledge a command in time,
though it has accepted it: the server is not silent, its engine is slow. The pool then says `queued`
in its place. If the host finds such a command stale later, it is sent again as one that has been
acknowledged (docs/rules.md, stale commands).

Invariant: a command of which there is any news is left to the host.
"""

import math
from collections.abc import Callable
from typing import Final, NamedTuple

from cordyna_core.worker.protocol import AttemptKey
from cordyna_core.worker.verdicts import AttemptCommand

_ACK_SHARE: Final = 4
"""The pool speaks after a quarter of the time for it: a host that can does so before."""

_LOOK_INTERVAL_S: Final = 0.25
"""All are looked at no more often than this: there may be thousands."""


class HandedOver(NamedTuple):
    """A command that was given to the host."""

    command: AttemptCommand
    frame: bytes
    due: float
    """When the pool acknowledges it (monotonic seconds)."""
    until: float
    """When its time to be acknowledged is over."""


class Acknowledgements:
    """The commands of which the host has said nothing yet."""

    def __init__(self) -> None:
        self._silent: dict[AttemptKey, HandedOver] = {}
        self._queued: set[AttemptKey] = set()
        self._next_look_at = math.inf

    def hand_over(
        self, command: AttemptCommand, frame: bytes, *, now: float, left_s: float
    ) -> None:
        """A command is given to the host, which has `left_s` to acknowledge it."""
        handed = HandedOver(command, frame, due=now + left_s / _ACK_SHARE, until=now + left_s)
        self._silent[command.key] = handed
        self._next_look_at = min(self._next_look_at, handed.due)

    def next_in_s(self, now: float) -> float:
        """Return how long `take_due` has nothing to do."""
        return max(0.0, self._next_look_at - now)

    def note_news(self, key: AttemptKey) -> None:
        """The host has said something of the attempt."""
        if self._silent:
            self._silent.pop(key, None)
            self._queued.discard(key)

    def take_due(
        self, now: float, is_served: Callable[[AttemptCommand], bool]
    ) -> list[AttemptCommand]:
        """Return the commands to acknowledge now, each once, of those that are served."""
        if now < self._next_look_at:
            return []
        waiting = [h for key, h in self._silent.items() if key not in self._queued]
        due = [h.command for h in waiting if h.due <= now <= h.until and is_served(h.command)]
        self._queued.update(command.key for command in due)
        next_due = min((h.due for h in waiting if h.due > now), default=now + 4 * _LOOK_INTERVAL_S)
        self._next_look_at = max(next_due, now + _LOOK_INTERVAL_S) if waiting else math.inf
        return due

    def is_queued(self, key: AttemptKey) -> bool:
        """Return whether the pool has acknowledged it, and the host has said nothing yet."""
        return key in self._queued

    def silent(self) -> list[HandedOver]:
        """Return all of them, as they are to be given to a host now."""
        return [self.again(key) for key in self._silent]

    def again(self, key: AttemptKey) -> HandedOver:
        """Return a command as it is given again.

        One that was acknowledged is valid until `start_by`.
        """
        handed = self._silent[key]
        if key not in self._queued:
            return handed
        return handed._replace(command=handed.command._replace(ack_by=handed.command.start_by))

    def clear(self) -> None:
        """Forget all: the host was lost, and they are answered."""
        self._silent.clear()
        self._queued.clear()
