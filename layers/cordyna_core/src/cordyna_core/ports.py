"""Ports: what a task server needs from the platform on which it runs, and what it offers to it.

Invariant: only adapters know the platform.
"""

from collections.abc import Callable, Sequence
from typing import Protocol

from cordyna_core.contract.base import ErrorDescription, Message
from cordyna_core.contract.commands import RunTask
from cordyna_core.start_hold import AT_ONCE, StartHold


class Bus(Protocol):
    """Where messages are published.

    Invariants: after `publish` returns, every message is on the bus (in any order, possibly twice);
    if it raises, some may be. A message that is sent again keeps the id in its `meta`.
    """

    def publish(self, messages: Sequence[Message]) -> None:
        """Put `messages` on the bus, with the `source` of this publisher."""
        ...


class Claims(Protocol):
    """The right to run the body of an attempt.

    Invariant: of all calls with the same arguments, at most one returns True.
    """

    def claim(self, run_id: str, task: str, attempt: int) -> bool:
        """Claim an attempt; return whether this caller may run its body."""
        ...


class Clock(Protocol):
    """A source of the present time, in UTC seconds since the epoch."""

    def __call__(self) -> float: ...


class TaskRunner(Protocol):
    """A task server as its platform sees it. `cordyna_core.TaskServer` is one."""

    @property
    def name(self) -> str: ...

    @property
    def concurrency(self) -> int:
        """How many bodies may run at the same time."""
        ...

    def declare(self, *, bus: Bus, clock: Clock, cause: Message | None = None) -> None:
        """Publish all tasks of the server, and that it is ready. Raises what the bus raises."""
        ...

    def queue(self, command: RunTask, *, bus: Bus, clock: Clock) -> bool:
        """Report `queued`, unless the command is stale; return whether it was reported."""
        ...

    def run(
        self,
        command: RunTask,
        *,
        bus: Bus,
        clock: Clock,
        queued: bool = False,
        claims: Claims | None = None,
        cancelled: Callable[[], bool],
        hold: StartHold = AT_ONCE,
    ) -> object:
        """Run one attempt and report its states. Raises what the bus and the claims raise."""
        ...

    def fail(self, command: RunTask, error: ErrorDescription, *, bus: Bus, clock: Clock) -> None:
        """Report an attempt as failed without running its body. Raises what the bus raises."""
        ...
