"""Operations: the port for operating a cerebro: health, dead letters, paused crons.

Invariant: an engine that can be operated has a property `operations`; for the others `dyna` says
so.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, cast

from cordyna_cli.engine import Engine
from cordyna_core.errors import UserError

FindingState = Literal["well", "notice", "worth a look", "broken"]


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of one check. `next`: what to do where it is not well.

    A `notice` keeps nothing from running: `doctor` shows it, and finds no problem.
    """

    what: str
    state: FindingState
    detail: str
    next: str = ""

    @property
    def is_problem(self) -> bool:
        """Whether it may keep a task from running."""
        return self.state in ("worth a look", "broken")


@dataclass(frozen=True, slots=True, kw_only=True)
class QueuedDeadLetter:
    """One message that could not be handled, with the reason."""

    id: str
    reason: str
    text: str


@dataclass(frozen=True, slots=True)
class DeadLetterQueue:
    """A dead-letter queue that is not empty.

    `back_to` is the queue that a redrive moves its messages to; None: there is no such queue.
    """

    name: str
    messages: int
    back_to: str | None
    samples: tuple[str, ...] = ()
    letters: tuple[QueuedDeadLetter, ...] = ()


class Operations(Protocol):
    """Every method may raise UserError (NotFound, AccessError, ServiceError)."""

    def examine(self) -> Sequence[Finding]:
        """Check everything that a task needs to run, in the order in which it is needed."""
        ...

    def dead_letters(self) -> Sequence[DeadLetterQueue]:
        """Return the queues that are not empty."""
        ...

    def redrive(self, name: str, ids: Collection[str] = ()) -> int:
        """Put the messages of a dead-letter queue back into the queue that they came from.

        With `ids`, only these letters. Returns how many. Raises NotFound.
        """
        ...

    def require_queue(self, name: str) -> None:
        """Raises NotFound: there is no such dead-letter queue."""
        ...

    def purge(self, name: str) -> int:
        """Delete the messages of a dead-letter queue; how many. Raises NotFound."""
        ...

    def paused(self) -> Sequence[str]:
        """Return the tasks whose cron is paused."""
        ...

    def pause(self, task: str, *, on: bool) -> None:
        """Pause the cron of `task`, or let it fire again. Raises NotFound."""
        ...


def operations_of(engine: Engine, command: str) -> Operations:
    """Return the operations of an engine. Raises UserError for an engine without any."""
    operations = getattr(engine, "operations", None)
    if operations is None:
        raise UserError(
            f"`dyna {command}` is for a cerebro on AWS.",
            why="tasks run on this machine here: there are no queues and no schedules",
            next=f"dyna --profile P {command}",
        )
    return cast(Operations, operations)
