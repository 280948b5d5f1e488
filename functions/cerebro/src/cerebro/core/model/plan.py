"""Plan: the tasks that one invocation runs, as they were declared then, in the order to run them.

Invariant: a plan never changes. An upgrade renames no plan: a field that was added after the first
format takes part in its id only where it is not the default.

A task of a plan is identified by its index, its position in topological order.
"""

import json
from dataclasses import astuple, fields
from functools import cached_property
from typing import Any, Final

from cordyna_core.contract.frozen import fast_dataclass
from cordyna_core.contract.ids import content_id

PAGE_SIZE: Final = 256
"""Task runs per page; a page has one timer and is one DynamoDB partition."""


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
        return content_id("plan", _to_json([_content_of(task) for task in self.tasks]))

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


FIRST_FIELDS: Final = (
    "name",
    "server",
    "upstream",
    "awaits",
    "params",
    "retries",
    "ack_timeout_s",
    "start_timeout_s",
    "run_timeout_s",
    "owner",
    "version",
    "kept",
    "reuses",
)
"""The fields of the first format: all of them take part, in this order."""

ADDED_FIELDS: Final = {
    planned.name: planned.default
    for planned in fields(PlannedTask)
    if planned.name not in FIRST_FIELDS
}
"""The fields that were added since the first format, with their defaults."""


def _content_of(task: PlannedTask) -> list[Any]:
    """Return the values that take part in the id of a plan."""
    values = [getattr(task, name) for name in FIRST_FIELDS]
    added = {
        name: value
        for name, default in ADDED_FIELDS.items()
        if (value := getattr(task, name)) != default
    }
    return [*values, added] if added else values


def page_of(index: int) -> int:
    """Return the page that holds the task run with this index."""
    return index // PAGE_SIZE


def indexes_of(page: int, size: int) -> range:
    """Return the indexes on a page of a plan of `size` tasks."""
    return range(page * PAGE_SIZE, min(size, (page + 1) * PAGE_SIZE))
