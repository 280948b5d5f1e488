"""Operations: what is asked of a cerebro beside its runs: is it well, what is dead-lettered, which crons are paused.

Law: an engine that has them says so by a property `operations`; the others have nothing of the kind, and a person is told.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, cast

from cordyna_cli.engine import Engine
from cordyna_core.errors import UserError


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at. `next`: what to do about it when it is not well."""

    what: str
    state: Literal["well", "worth a look", "broken"]
    told: str
    next: str = ""


@dataclass(frozen=True, slots=True)
class DeadLetterQueue:
    """A dead-letter queue with something in it. `back_to` None: nothing consumes a queue that these could be put back into."""

    name: str
    messages: int
    back_to: str | None
    samples: tuple[str, ...] = ()


class Operations(Protocol):
    """Every method may raise UserError (NotFound, AccessError, ServiceError)."""

    def examine(self) -> Sequence[Finding]:
        """Everything that has to be well before a task can run, in the order in which it is needed."""
        ...

    def dead_letters(self) -> Sequence[DeadLetterQueue]:
        """Those queues that are not empty."""
        ...

    def redrive(self, name: str) -> int:
        """Put what is in a dead-letter queue back into the queue that it came from; how many messages. Raises NotFound."""
        ...

    def paused(self) -> Sequence[str]:
        """The tasks whose cron is paused."""
        ...

    def pause(self, task: str, *, on: bool) -> None:
        """Let the cron of `task` rest, or fire again. Raises NotFound."""
        ...


def operations_of(engine: Engine, command: str) -> Operations:
    """Raises UserError for an engine that has none."""
    found = getattr(engine, "operations", None)
    if found is None:
        raise UserError(
            f"`dyna {command}` is for a cerebro on AWS.",
            why="here, tasks run on this machine: there are no queues and no schedules to look after",
            next=f"dyna --profile P {command}",
        )
    return cast(Operations, found)
