"""Model: what cerebro knows about a plan, a run and a task run.

Invariant: a plan never changes. A task run only moves up in (attempt, rank). Nothing is stored that
can be derived.

Times are UTC seconds since the epoch, as floats. A task of a plan is identified by its index, its
position in topological order. A "fact" is the stored TaskRun of one task in one run.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import astuple, field, fields
from enum import IntEnum
from functools import cached_property
from hashlib import blake2b
from itertools import pairwise
from typing import Any, Final, Literal

from cerebro.core.plan_content import FIRST_FIELDS, content_of_task
from cordyna_core.contract.base import ErrorDescription, State
from cordyna_core.contract.frozen import fast_dataclass
from cordyna_core.contract.ids import content_id

PAGE_SIZE: Final = 256
"""Task runs per page; a page has one timer and is one DynamoDB partition."""


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


@fast_dataclass(frozen=True, slots=True)
class CachedResult:
    """Where the newest result of a task is: `index` in run `run_id`.

    Its age counts from `dispatched_at`. `fingerprint` names what it was made from.
    """

    run_id: str
    index: int
    dispatched_at: float
    output: Any = None
    output_ref: str | None = None
    fingerprint: str = ""


@fast_dataclass(frozen=True, slots=True, kw_only=True)
class PlannedTask:
    """One task as it was declared when the run was invoked.

    Fields:
        upstream: the declared upstream tasks.
        awaits: what must have completed before it is dispatched: its upstream in ascending order,
            or joins over it if the fan-in is wide.
        params: the names of the parameters that it takes.
        server: empty for a join, which cerebro completes itself.
        version: the hash of its declaration.
        kept: whether its result is recorded for reuse.
        reuses: the result that it reuses instead of running.
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
    retry_delay_s: int = 5
    retry_backoff: float = 2.0
    retry_max_delay_s: int = 600
    retry_jitter: bool = True

    @property
    def is_join(self) -> bool:
        return not self.server


@fast_dataclass(frozen=True)
class Plan:
    """An upstream closure in topological order, frozen when it was invoked.

    The last task is the target and the only sink.
    """

    tasks: tuple[PlannedTask, ...]

    @property
    def size(self) -> int:
        return len(self.tasks)

    @property
    def target(self) -> int:
        return len(self.tasks) - 1

    @cached_property
    def id(self) -> str:
        """The hash of the content: the same closure, declared the same, is the same plan.

        A field that was added later takes part only where it is not the default, so that an
        upgrade renames no plan.
        """
        content = [content_of_task(task, ADDED_FIELDS) for task in self.tasks]
        return content_id("plan", _to_json(content))

    @cached_property
    def index_of(self) -> dict[str, int]:
        """The index of a task by its name (joins excepted)."""
        return {task.name: index for index, task in enumerate(self.tasks) if not task.is_join}

    @cached_property
    def position_of(self) -> dict[int, int]:
        """The position of an index among the tasks that are shown: joins are left out."""
        shown = (index for index, task in enumerate(self.tasks) if not task.is_join)
        return {index: position for position, index in enumerate(shown)}

    @cached_property
    def downstream(self) -> tuple[tuple[int, ...], ...]:
        """For each index, the indexes that await it."""
        downstream: list[list[int]] = [[] for _ in self.tasks]
        for index, task in enumerate(self.tasks):
            for upstream in task.awaits:
                downstream[upstream].append(index)
        return tuple(map(tuple, downstream))

    @cached_property
    def users(self) -> tuple[tuple[int, ...], ...]:
        """For each index, the tasks that declare it as their upstream."""
        users: list[list[int]] = [[] for _ in self.tasks]
        for index, task in enumerate(self.tasks):
            for upstream in task.upstream:
                users[upstream].append(index)
        return tuple(map(tuple, users))

    @cached_property
    def levels(self) -> tuple[int, ...]:
        """For each index, the length of the longest path to it from a task without upstreams.

        Joins do not count (their level is 0).
        """
        levels: list[int] = []
        for task in self.tasks:
            levels.append(1 + max([levels[upstream] for upstream in task.upstream], default=-1))
        return tuple(levels)

    @cached_property
    def roots(self) -> tuple[int, ...]:
        """The tasks that await nothing."""
        return tuple(index for index, task in enumerate(self.tasks) if not task.awaits)

    @property
    def pages(self) -> range:
        return range((self.size - 1) // PAGE_SIZE + 1)


_to_json: Final = json.JSONEncoder(separators=(",", ":"), default=astuple).encode


ADDED_FIELDS: Final = {
    planned.name: planned.default
    for planned in fields(PlannedTask)
    if planned.name not in FIRST_FIELDS
}
"""The fields that were added since the first format, with their defaults."""


def page_of(index: int) -> int:
    """Return the page that holds the task run with this index."""
    return index // PAGE_SIZE


def indexes_of(page: int, size: int) -> range:
    """Return the indexes on a page of a plan of `size` tasks."""
    return range(page * PAGE_SIZE, min(size, (page + 1) * PAGE_SIZE))


RunStatus = Literal["running", "completed", "error", "cancelled"]


@fast_dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One invocation. Nothing is written here per task.

    Fields:
        failing: whether some task run has failed permanently.
        rev: steps whenever something may have come alive again (a heal, a retry); an end that was
            decided before does not apply.
        version: steps with every write; a write is conditional on it.
        cause: the id of the input that wrote it last.
        commands: the ids of the commands that were applied.
        source: who sent the invocation; None for a run of a version that did not store it.
        reruns: how often a RetryRun with `downstream` made completed tasks run again. While it is
            0, a completed fact stays completed.
        traceparent: the trace context of the invocation, handed on in every message of the run.
        watched: the task runs whose completion is noticed, because an open incident waits for it.
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
    source: str | None = None
    reruns: int = 0
    traceparent: str | None = None
    watched: tuple[int, ...] = ()

    @property
    def is_over(self) -> bool:
        return self.status != "running"


@fast_dataclass(frozen=True)
class RunSnapshot:
    """What never changes about a run, so it may be cached without limit.

    Of `run` only what was set at its creation may be used.
    """

    run: Run
    plan: Plan

    @cached_property
    def fingerprints(self) -> tuple[str, ...]:
        """For each task, the name of what its result is made from."""
        return fingerprints_of(self.plan, self.run.params)

    def params_of(self, index: int) -> dict[str, Any]:
        """Return those parameters of the run that this task's schema names."""
        params = self.run.params
        if not params:
            return {}
        return {name: params[name] for name in self.plan.tasks[index].params if name in params}


def fingerprints_of(plan: Plan, params: Mapping[str, Any]) -> tuple[str, ...]:
    """Return, for each task of a plan, a hash of everything that its result is made from.

    That is its declaration, the parameters that it takes, and the same of its whole upstream
    closure. A reused result keeps the fingerprint with which it was made. A join has none.
    """
    fingerprints: list[str] = []
    for task in plan.tasks:
        if task.is_join:
            fingerprints.append("")
        elif task.reuses is not None:
            fingerprints.append(task.reuses.fingerprint)
        else:
            taken = {name: params[name] for name in task.params if name in params}
            parts = [fingerprints[index] for index in task.upstream]
            parts += [task.version, _to_sorted_json(taken) if taken else ""]
            fingerprints.append(blake2b("\x1f".join(parts).encode(), digest_size=16).hexdigest())
    return tuple(fingerprints)


_to_sorted_json: Final = json.JSONEncoder(sort_keys=True, separators=(",", ":")).encode


def lattice(fact: TaskRun | None) -> tuple[int, int]:
    """Return (attempt, rank), the position of a task run; waiting is below everything."""
    return (fact.attempt, fact.rank) if fact else (0, -1)


def all_completed(indexes: Iterable[int], facts: Mapping[int, TaskRun]) -> bool:
    """Return whether every one of `indexes` has a completed fact in `facts`."""
    return all((fact := facts.get(index)) is not None and fact.is_completed for index in indexes)
