"""Ports: what a task server needs from its platform.

Law: nothing below the adapters knows which platform it runs on.
"""

from collections.abc import Sequence
from typing import Protocol

from cordyna_core.contract.base import Message


class Bus(Protocol):
    """Where messages are published.

    Laws: after `publish` returns, every message is on the bus (in any order, possibly twice); if it raises, some may be.
    A message keeps the id in its `meta` however often it is sent.
    """

    def publish(self, messages: Sequence[Message]) -> None:
        """Put `messages` on the bus in this publisher's name (its `source`)."""
        ...


class Claims(Protocol):
    """Who may run the body of an attempt.

    Law: of all calls with the same arguments, at most one answers True.
    """

    def claim(self, run_id: str, task: str, attempt: int) -> bool:
        """Whether this caller may run the body now."""
        ...


class Clock(Protocol):
    """UTC seconds since the epoch."""

    def __call__(self) -> float: ...
