"""Model: what cerebro knows about a plan, a run and a task run.

Law: a plan never changes. A task run only moves up the lattice of (attempt, rank). What can be derived is not kept.

Times are UTC seconds since the epoch, as floats. A task of a plan is known by its index, its place in topological order.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import astuple, dataclass, field
from enum import IntEnum
from functools import cached_property
from typing import Any, Final, Literal

from cordyna_core.contract.base import ErrorDescription, State
from cordyna_core.contract.ids import derived_id

PAGE_SIZE: Final = 256
"""Task runs per page; a page is what one guardian guards and one DynamoDB partition holds."""


class Rank(IntEnum):
    """How far an attempt is. A late completion heals an error; a cancellation is final."""

    PENDING = 0
    QUEUED = 1
    STARTED = 2
    ERROR = 3
    COMPLETED = 4
    CANCELLED = 5


STATE_OF: Final[dict[Rank, State]] = {
    Rank.PENDING: "pending",
    Rank.QUEUED: "queued",
    Rank.STARTED: "started",
    Rank.ERROR: "error",
    Rank.COMPLETED: "completed",
    Rank.CANCELLED: "error",
}

RANK_OF: Final[dict[State, Rank]] = {
    "queued": Rank.QUEUED,
    "started": Rank.STARTED,
    "error": Rank.ERROR,
    "completed": Rank.COMPLETED,
}
"""What a server may say of its task; `pending` is cerebro's word."""


@dataclass(frozen=True, slots=True)
class TimelineEntry:
    """One line of a task run's timeline: who said what of which attempt, and when."""

    state: State
    reason: str | None
    at: float
    by: str
    attempt: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskRun:
    """The fact about one task in one run. A task run without a fact is waiting.

    `deadline` is when its clock runs out, or when its back-off ends (rank ERROR: it waits for a retry); None: nothing more is due.
    `cause` is the id of the input that made this fact: only that input, repeated, does its effects again.
    `deaths` counts the engines that died while this attempt was under way (the embedded engine's only).
    """

    attempt: int
    rank: Rank
    reason: str | None = None
    deadline: float | None = None
    cause: str
    attempts_allowed: int = 1
    dispatched_at: float = 0.0
    output: Any = None
    output_apart: bool = False
    error: ErrorDescription | None = None
    timeline: tuple[TimelineEntry, ...] = ()
    rev: int = 1
    deaths: int = 0

    @property
    def is_live(self) -> bool:
        """Whether something is still expected of it."""
        return self.deadline is not None

    @property
    def is_completed(self) -> bool:
        return self.rank == Rank.COMPLETED

    @property
    def failed_for_good(self) -> bool:
        return self.rank in (Rank.ERROR, Rank.CANCELLED) and self.deadline is None

    @property
    def was_healed(self) -> bool:
        """Whether it completed after all, in the very attempt that was an error before."""
        return self.is_completed and any(
            said.attempt == self.attempt and said.state == "error" for said in self.timeline
        )

    @property
    def waits_for_retry(self) -> bool:
        return self.rank == Rank.ERROR and self.deadline is not None


@dataclass(frozen=True, slots=True)
class CachedResult:
    """Where the last result of a task is: `index` in `run_id`. Its age counts from `dispatched_at`."""

    run_id: str
    index: int
    dispatched_at: float
    output: Any = None
    output_apart: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedTask:
    """One task as it was declared when the run was invoked.

    `upstream` are the declared upstreams. `awaits` is what must have completed before it is dispatched: the same,
    ascending, unless a wide fan-in goes through joins. A join has no server: cerebro completes it itself, and also what
    `reuses` a result. `kept`: its result is kept, because somebody may want to reuse it.
    """

    name: str
    server: str
    upstream: tuple[int, ...] = ()
    awaits: tuple[int, ...] = ()
    params: tuple[str, ...] = ()
    retries: int = 0
    ack_timeout_s: int = 10
    start_timeout_s: int = 600
    run_timeout_s: int = 1800
    owner: str | None = None
    version: str = ""
    kept: bool = False
    reuses: CachedResult | None = None

    @property
    def is_join(self) -> bool:
        return not self.server


@dataclass(frozen=True)
class Plan:
    """An upstream closure in topological order, frozen when invoked; the last task is the target and the only sink."""

    tasks: tuple[PlannedTask, ...]

    @property
    def size(self) -> int:
        return len(self.tasks)

    @property
    def target(self) -> int:
        return len(self.tasks) - 1

    @cached_property
    def id(self) -> str:
        """The hash of the content: the same closure, declared the same, is the same plan."""
        return derived_id("plan", _to_json([_fields_of(task) for task in self.tasks]))

    @cached_property
    def index_of(self) -> dict[str, int]:
        """The index of a task by its name (joins excepted)."""
        return {task.name: index for index, task in enumerate(self.tasks) if not task.is_join}

    @cached_property
    def downstream(self) -> tuple[tuple[int, ...], ...]:
        """For each index, who awaits it."""
        found: list[list[int]] = [[] for _ in self.tasks]
        for index, task in enumerate(self.tasks):
            for upstream in task.awaits:
                found[upstream].append(index)
        return tuple(map(tuple, found))

    @cached_property
    def users(self) -> tuple[tuple[int, ...], ...]:
        """For each index, which tasks declare it as their upstream."""
        found: list[list[int]] = [[] for _ in self.tasks]
        for index, task in enumerate(self.tasks):
            for upstream in task.upstream:
                found[upstream].append(index)
        return tuple(map(tuple, found))

    @cached_property
    def levels(self) -> tuple[int, ...]:
        """For each index the length of the longest way to it from a task without upstreams. Joins do not count (theirs is 0)."""
        levels: list[int] = []
        for task in self.tasks:
            levels.append(1 + max([levels[upstream] for upstream in task.upstream], default=-1))
        return tuple(levels)

    @cached_property
    def roots(self) -> tuple[int, ...]:
        """Those that await nothing."""
        return tuple(index for index, task in enumerate(self.tasks) if not task.awaits)

    @property
    def pages(self) -> range:
        return range((self.size - 1) // PAGE_SIZE + 1)


_to_json: Final = json.JSONEncoder(separators=(",", ":"), default=astuple).encode


def _fields_of(task: PlannedTask) -> list[Any]:
    return [getattr(task, name) for name in PlannedTask.__slots__]


def page_of(index: int) -> int:
    """The page that holds the task run with this index."""
    return index // PAGE_SIZE


def indexes_of(page: int, size: int) -> range:
    """The indexes on a page of a plan of `size` tasks."""
    return range(page * PAGE_SIZE, min(size, (page + 1) * PAGE_SIZE))


RunStatus = Literal["running", "completed", "error", "cancelled"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One invocation. Nothing is written here per task.

    `rev` steps whenever something may come alive again (a heal, a retry): an ending decided before does not count.
    `cause` is the id of the input that wrote it last.
    """

    id: str
    task: str
    plan_id: str
    created_at: float
    cause: str
    params: dict[str, Any] = field(default_factory=dict)
    key: str | None = None
    max_age_s: int | None = None
    labels: dict[str, str] = field(default_factory=dict)
    scheduled_at: float | None = None
    status: RunStatus = "running"
    failing: bool = False
    rev: int = 0
    version: int = 1
    commands: tuple[str, ...] = ()

    @property
    def is_over(self) -> bool:
        return self.status != "running"


@dataclass(frozen=True, slots=True)
class RunSnapshot:
    """What never changes about a run: it may be remembered for as long as one likes."""

    run: Run
    plan: Plan

    def params_of(self, index: int) -> dict[str, Any]:
        """Those parameters of the run that this task's schema names."""
        given = self.run.params
        return (
            {name: given[name] for name in self.plan.tasks[index].params if name in given}
            if given
            else {}
        )


def lattice(task: TaskRun | None) -> tuple[int, int]:
    """(attempt, rank): a task run's place; waiting is below everything."""
    return (task.attempt, task.rank) if task else (0, -1)


def all_completed(indexes: Iterable[int], facts: Mapping[int, TaskRun]) -> bool:
    """Whether every one of `indexes` has a completed fact in `facts`."""
    return all((fact := facts.get(index)) is not None and fact.is_completed for index in indexes)
