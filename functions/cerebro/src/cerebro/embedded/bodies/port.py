"""Bodies: where the bodies of task servers run, as the driver sees it.

Invariant: a body never runs in the thread of the driver, and whatever it does, the driver runs.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from cerebro.embedded.storage.event_log import LogChunk
from cerebro.embedded.storage.targets import ServerLoad
from cordyna_core.contract.commands import CancelTask, RunTask
from cordyna_core.contract.declaration import ServerDeclared
from cordyna_core.contract.envelope import Envelope
from cordyna_core.contract.state_updates import TaskStateChanged


@dataclass(frozen=True, slots=True)
class ServerLoaded:
    """A server has loaded. `mode` says how its bodies start, and `mode_reason` why."""

    target: str
    declaration: ServerDeclared
    mode: str = "threads"
    mode_reason: str = ""


@dataclass(frozen=True, slots=True)
class LoadFailure:
    """A server did not load. `still_serving`: its earlier version continues."""

    target: str
    error: str
    still_serving: bool


@dataclass(frozen=True, slots=True)
class BodiesDrained:
    """No body runs any more after `drain`."""


@dataclass(frozen=True, slots=True)
class CheckedEvent:
    """An event of the bus whose message has been read and checked already."""

    event: str
    envelope: Envelope


FRAME_OF_WORKER: Final = "a frame of a worker: "
"""Begins the reason of a dead letter that is not a message of the bus. It cannot be redriven."""


@dataclass(frozen=True, slots=True)
class Undeliverable:
    """A frame of a worker that is not an event of the contract, and why."""

    text: str
    reason: str


@dataclass(frozen=True, slots=True)
class Loads:
    """The answer to `request_loads`."""

    servers: tuple[ServerLoad, ...]


BodyEvent = (
    str
    | CheckedEvent
    | LogChunk
    | ServerLoaded
    | LoadFailure
    | BodiesDrained
    | Undeliverable
    | Loads
)
"""An event of the bus from a server, output of an attempt, or news about servers."""


def is_start(event: BodyEvent) -> bool:
    """Return whether a body reports that it has started, and nothing else."""
    if not isinstance(event, CheckedEvent):
        return False
    message = event.envelope.message
    return isinstance(message, TaskStateChanged) and message.state == "started"


class Bodies(Protocol):
    """Used by the thread of the driver only."""

    @property
    def holds_starts(self) -> bool:
        """Whether the start of a short body is not reported apart from its end."""
        ...

    def start(self, wake: Callable[[], None]) -> None:
        """Begin. `wake` may be called from any thread when `receive` has something.

        Raises ServiceError.
        """
        ...

    def fileno(self) -> int | None:
        """Return a descriptor that is readable when `receive` has something, if there is one."""
        ...

    def next_poll_s(self) -> float | None:
        """Return how long to wait at most before the next `receive`.

        None: until it has something.
        """
        ...

    def receive(self) -> Sequence[BodyEvent]:
        """Return what has happened, without waiting."""
        ...

    def load(self, targets: Sequence[str]) -> None:
        """Load these servers, or load them again; reported as ServerLoaded or LoadFailure."""
        ...

    def remove(self, target: str) -> None:
        """Serve a target no longer. What runs continues to its end."""
        ...

    def run(self, command: RunTask, event: str, run_timeout_s: float) -> None:
        """Run an attempt; `event` is the command as it passed the bus."""
        ...

    def cancel(self, command: CancelTask) -> None:
        """Cancel an attempt: its body is told, and ended after its grace."""
        ...

    def has_live(self) -> bool:
        """Return whether an attempt runs or waits that `drain` would end."""
        ...

    def has_cancelled(self) -> bool:
        """Return whether a cancelled attempt still runs, within its grace."""
        ...

    def request_loads(self) -> None:
        """Ask for the servers' ServerLoad."""
        ...

    def drain(self, within_s: float) -> None:
        """Start no further attempt; end what runs after `within_s`. Reported as BodiesDrained."""
        ...

    def close(self) -> None:
        """End everything now."""
        ...
