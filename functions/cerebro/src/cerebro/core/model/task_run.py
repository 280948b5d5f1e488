"""Task run: how far one task of one run is, and what is known of it.

Invariant: a task run only moves up in (attempt, rank). Nothing is stored that can be derived.

Times are UTC seconds since the epoch, as floats. A "fact" is the stored TaskRun of one task in one
run.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from enum import IntEnum
from itertools import pairwise
from typing import Any, Final

from cordyna_core.contract.base import ErrorDescription, State
from cordyna_core.contract.frozen import fast_dataclass


class Rank(IntEnum):
    """How far an attempt is. The numbers are stored; the gaps leave room for ranks to come.

    The expiry of a clock ranks just above the state that it waited in and below the next update:
    it means "nothing heard yet", so any later update of the same attempt outranks it. WAITING is
    stored only for an attempt that a RetryRun with `downstream` asked for and whose upstream is not
    complete again.
    """

    WAITING = -20
    PENDING = 0
    ACK_TIMEOUT = 5
    QUEUED = 10
    START_TIMEOUT = 15
    STARTED = 20
    RUN_TIMEOUT = 25
    ERROR = 30
    COMPLETED = 40
    CANCELLED = 50


FAILED_RANKS: Final = frozenset(
    {Rank.ACK_TIMEOUT, Rank.START_TIMEOUT, Rank.RUN_TIMEOUT, Rank.ERROR}
)
"""The attempt failed; another one may follow."""

STATE_OF: Final[dict[Rank, State]] = {
    Rank.WAITING: "pending",
    Rank.PENDING: "pending",
    Rank.ACK_TIMEOUT: "error",
    Rank.QUEUED: "queued",
    Rank.START_TIMEOUT: "error",
    Rank.STARTED: "started",
    Rank.RUN_TIMEOUT: "error",
    Rank.ERROR: "error",
    Rank.COMPLETED: "completed",
    Rank.CANCELLED: "error",
}


@fast_dataclass(frozen=True, slots=True)
class TimelineEntry:
    """One line of a task run's timeline: the state, its reason, when, by which source."""

    state: State
    reason: str | None
    at: float
    by: str
    attempt: int


@fast_dataclass(frozen=True, slots=True, kw_only=True)
class TaskRun:
    """The stored fact about one task in one run. A task run without a fact is waiting.

    Fields:
        deadline: when the running clock expires, or, in a failed rank, when the back-off ends;
            None: nothing is due.
        cause: the id of the input that wrote this fact. Only that input, delivered again, repeats
            the fact's effects.
        attempts_allowed: the last attempt that may begin without a RetryRun.
        dispatched_by: the input that dispatched it, if no update came in time (ACK_TIMEOUT).
        output_ref: the name of the output if it is stored separately because of its size. It is a
            hash of the content, so an accepted output never changes.
        rev: steps with every write; a write is conditional on it.
    """

    attempt: int
    rank: Rank
    reason: str | None = None
    deadline: float | None = None
    cause: str
    attempts_allowed: int = 1
    dispatched_at: float = 0.0
    dispatched_by: str | None = None
    output: Any = None
    output_ref: str | None = None
    error: ErrorDescription | None = None
    timeline: tuple[TimelineEntry, ...] = ()
    rev: int = 1

    @property
    def is_live(self) -> bool:
        """Whether a deadline is open."""
        return self.deadline is not None

    @property
    def is_completed(self) -> bool:
        return self.rank == Rank.COMPLETED

    @property
    def is_waiting(self) -> bool:
        """Whether a rerun asked for it and nothing has dispatched it: as if it had no fact."""
        return self.rank == Rank.WAITING

    @property
    def failed_permanently(self) -> bool:
        """Whether it failed or was cancelled and no attempt follows by itself."""
        return self.deadline is None and (self.rank in FAILED_RANKS or self.rank == Rank.CANCELLED)

    @property
    def waits_for_retry(self) -> bool:
        return self.rank in FAILED_RANKS and self.deadline is not None

    @property
    def was_revived(self) -> bool:
        """Whether an update of the server brought this attempt back after a permanent failure."""
        # Nearly every timeline holds no error, and this is asked after every update.
        for entry in self.timeline:
            if entry.state == "error":
                break
        else:
            return False
        if self.rank not in (Rank.QUEUED, Rank.STARTED, Rank.COMPLETED):
            return False
        entries = [entry for entry in self.timeline if entry.attempt == self.attempt]
        return any(
            entry.state == "error" and following.reason != "retry_wait"
            for entry, following in pairwise(entries)
        )


def without_details(fact: TaskRun) -> TaskRun:
    """Return the fact without its output, error and timeline, which are most of its size."""
    return replace(fact, output=None, error=None, timeline=())


def lattice(fact: TaskRun | None) -> tuple[int, int]:
    """Return (attempt, rank), the position of a task run; waiting is below everything."""
    return (fact.attempt, fact.rank) if fact else (0, -1)


def all_completed(indexes: Iterable[int], facts: Mapping[int, TaskRun]) -> bool:
    """Return whether every one of `indexes` has a completed fact in `facts`."""
    return all((fact := facts.get(index)) is not None and fact.is_completed for index in indexes)
