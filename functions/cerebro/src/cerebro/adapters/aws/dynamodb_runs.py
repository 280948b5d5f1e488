"""Runs in DynamoDB: plans, idempotency keys, cached results, runs, and the marks of active and of
recent runs.

Invariant: a mark that points to a run is written before the run and deleted after it is over. A run
and everything of it expire at the same moment, never before the longest time that its plan can
take; from then on the run is unknown.
"""

import heapq
import zlib
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import islice
from typing import Final, NamedTuple

from cerebro.adapters.aws.dynamodb_chunks import (
    chunks_of_plan,
    plan_of_chunks,
    read_chunks,
    write_chunks,
)
from cerebro.adapters.aws.dynamodb_table import BATCH_GET_MAX_ITEMS, Item, Key, Table
from cerebro.adapters.codecs import decode_last, decode_run, encode_last, encode_run
from cerebro.adapters.lru_cache import LruCache
from cerebro.core.model import CachedResult, Plan, PlannedTask, Run, RunSnapshot
from cordyna_core.errors import ServiceError
from cordyna_core.ports import Clock

DAY_S: Final = 24 * 3600.0
SHARDS: Final = 4
"""Partitions of the marks of active runs.

Together they take 2,000 starts and ends of runs per second.
"""

_CACHED_RUNS_MAX: Final = 1_000
_CACHED_TASKS_MAX: Final = 250_000
"""Planned tasks of all cached plans: about 200 MB."""


class _CachedPlan(NamedTuple):
    """A plan, the longest time that a run of it can take, and until when its items are known not to
    expire.
    """

    plan: Plan
    longest_s: float
    until: float


class RunItems:
    """The run part of the Store port. What is over is retained for `retention_days`."""

    def __init__(self, table: Table, clock: Clock, retention_days: float) -> None:
        self._table, self._clock, self._retention_s = table, clock, retention_days * DAY_S
        self._plans: LruCache[str, _CachedPlan] = LruCache(
            _CACHED_TASKS_MAX, lambda cached: cached.plan.size
        )
        self._snapshots: LruCache[str, RunSnapshot] = LruCache(_CACHED_RUNS_MAX)

    def write_plan(self, plan: Plan) -> None:
        cached = self._plans.get(plan.id)
        longest = cached.longest_s if cached else longest_s(plan)
        needed = self._clock() + self._retention_s + longest
        if cached is None or cached.until < needed:
            # One day more than needed, so that a plan that is invoked all day is written once a
            # day.
            until = needed + DAY_S
            write_chunks(
                self._table, _PlanKeys(plan.id), chunks_of_plan(plan), expires_at=int(until) + 1
            )
            self._plans.put(plan.id, _CachedPlan(plan, longest, until))

    def read_cached_result(self, task: str, fingerprint: str) -> CachedResult | None:
        item = self._table.get(_last(task, fingerprint))
        return decode_last(str(item["last"])) if item and not self._is_expired(item) else None

    def write_cached_result(self, task: str, fingerprint: str, result: CachedResult) -> None:
        pk, sk = _last(task, fingerprint)
        # Never after the run that it points to, which is retained as long after the longest time it
        # can take.
        expires_at = int(self._clock() + self._retention_s)
        item: Item = {
            "pk": pk,
            "sk": sk,
            "last": encode_last(result),
            "dispatched_at": result.dispatched_at,
            "expires_at": expires_at,
        }
        self._table.put(
            item,
            "attribute_not_exists(#pk) or #dispatched_at < :dispatched_at",
            dispatched_at=result.dispatched_at,
        )

    def read_run(self, run_id: str) -> Run | None:
        item = self._table.get(run_key(run_id))
        return self._run(item) if item else None

    def write_run(self, new: Run, seen: Run | None) -> Run | None:
        expires_at = self._expires_at(new)
        if seen is None:
            self._table.put({"pk": _month_shard(new), "sk": _age(new), "expires_at": expires_at})
        if not new.is_over and (seen is None or seen.is_over):
            # The version fences the deletion: a process that ended an earlier version must not
            # delete this mark.
            self._table.put(
                {
                    "pk": _shard(new.id),
                    "sk": new.id,
                    "version": new.version,
                    "pages": self._pages_of(new),
                    "expires_at": expires_at,
                }
            )
        pk, sk = run_key(new.id)
        item: Item = {
            "pk": pk,
            "sk": sk,
            "run": encode_run(new),
            "status": new.status,
            "version": new.version,
            "expires_at": expires_at,
        }
        conflicting = self._table.put_if_still(item, "version", seen.version if seen else None)
        if conflicting is not None:
            stored = decode_run(str(conflicting["run"]))
        else:
            stored = new
            if seen is None and (cached := self._plans.get(new.plan_id)):
                self._snapshots.put(new.id, RunSnapshot(new, cached.plan))
        if stored.is_over:
            self._delete_active_mark(stored)
        return stored if conflicting else None

    def read_run_snapshot(self, run_id: str) -> RunSnapshot | None:
        snapshot = self._snapshots.get(run_id)
        if snapshot is None and (run := self.read_run(run_id)) is not None:
            cached = self._cached_plan(run.plan_id)
            if cached is None:
                raise ServiceError(
                    f"the plan of run {run_id} is not in its table.",
                    why="the table was changed by hand, or restored in part.",
                    next="cancel the run and invoke its task again.",
                )
            snapshot = self._snapshots.put(run_id, RunSnapshot(run, cached.plan))
        return snapshot

    def active_runs(self) -> list[str]:
        marked = [
            str(item["sk"])
            for shard in range(SHARDS)
            for item in self._table.query(_shard_name(shard))
        ]
        # A mark may outlive its run: the process that ended it may have crashed before deleting the
        # mark.
        runs = (self._run(item) for item in self._table.get_many(map(run_key, marked)).values())
        return [run.id for run in runs if run is not None and not run.is_over]

    def active_pages(self, shard: int, after: str = "") -> Iterator[tuple[str, int]]:
        """See handlers.sweep.ActivePages. Marks are read as they are needed, not all at once."""
        marks = self._table.query(_shard_name(shard), after=after)
        while batch := list(islice(marks, BATCH_GET_MAX_ITEMS)):
            items = self._table.get_many(run_key(str(mark["sk"])) for mark in batch)
            for mark in batch:
                run_id = str(mark["sk"])
                item = items.get(run_key(run_id))
                run = self._run(item) if item else None
                if run is not None and not run.is_over:
                    yield run_id, int(mark.get("pages") or self._pages_of(run))

    def _pages_of(self, run: Run) -> int:
        cached = self._cached_plan(run.plan_id)
        return len(cached.plan.pages) if cached else 1

    def runs(self, limit: int) -> list[Run]:
        runs: dict[str, Run] = {}
        page = min(limit, BATCH_GET_MAX_ITEMS)
        marks = self._marks(page)
        while len(runs) < limit and (batch := list(islice(marks, page))):
            items = self._table.get_many(run_key(_run_of(age)) for age in batch)
            for age in batch:
                item = items.get(run_key(_run_of(age)))
                run = self._run(item) if item else None
                # A mark with another time was written by a duplicate of the command that lost the
                # race.
                if run is not None and _age(run) == age:
                    runs[run.id] = run
        return list(runs.values())[:limit]

    def expires_at(self, run_id: str) -> int:
        """When everything of a run expires (UTC seconds)."""
        snapshot = self.read_run_snapshot(run_id)
        return (
            self._expires_at(snapshot.run) if snapshot else int(self._clock() + self._retention_s)
        )

    def _expires_at(self, run: Run) -> int:
        cached = self._cached_plan(run.plan_id)
        return int(run.created_at + self._retention_s + (cached.longest_s if cached else 0))

    def _run(self, item: Item) -> Run | None:
        return None if self._is_expired(item) else decode_run(str(item["run"]))

    def _is_expired(self, item: Item) -> bool:
        # DynamoDB deletes expired items up to two days late; until then they are ignored here.
        return float(item["expires_at"]) <= self._clock()

    def _cached_plan(self, plan_id: str) -> _CachedPlan | None:
        cached = self._plans.get(plan_id)
        if cached is None:
            chunks = read_chunks(self._table, {plan_id: _PlanKeys(plan_id)})
            if plan_id in chunks:
                plan = plan_of_chunks(chunks[plan_id])
                cached = self._plans.put(plan_id, _CachedPlan(plan, longest_s(plan), until=0))
        return cached

    def _delete_active_mark(self, run: Run) -> None:
        self._table.delete(
            (_shard(run.id), run.id),
            "attribute_not_exists(#pk) or #version <= :version",
            version=run.version,
        )

    def _marks(self, page: int) -> Iterator[str]:
        """The sort keys of the marks of all runs, newest first."""
        # Begin tomorrow: a process whose clock is ahead may have created a run there.
        now = self._clock()
        months = dict.fromkeys(
            _month(now + DAY_S - days * DAY_S) for days in range(int(self._retention_s / DAY_S) + 2)
        )
        for month in months:
            # Without a shard: marks that were written before they were sharded.
            partitions = [month, *(f"{month}#{shard}" for shard in range(SHARDS))]
            newest_first = (
                self._table.query(partition, backwards=True, page=page) for partition in partitions
            )
            yield from heapq.merge(
                *((str(item["sk"]) for item in items) for items in newest_first), reverse=True
            )


def longest_s(plan: Plan) -> float:
    """The longest time that a run of the plan can take: all clocks expire, all retries are used."""
    ends: list[float] = []
    for task in plan.tasks:
        ends.append(
            max((ends[upstream] for upstream in task.awaits), default=0.0) + _longest_of(task)
        )
    return max(ends)


def _longest_of(task: PlannedTask) -> float:
    clocks = task.ack_timeout_s + task.start_timeout_s + task.run_timeout_s
    return (clocks + task.retry_max_delay_s) * (1 + task.retries)


class _PlanKeys:
    """The keys of a plan's chunks."""

    def __init__(self, plan_id: str) -> None:
        self._pk = f"PLAN#{plan_id}"

    def __call__(self, number: int) -> Key:
        return self._pk, str(number)


def run_key(run_id: str) -> Key:
    """The key of a run, whose `status` the wait state machine reads (infra/.../timers.py)."""
    return f"RUN#{run_id}", "META"


def _last(task: str, fingerprint: str) -> Key:
    return f"TASK#{task}", f"LAST#{fingerprint}"


def _shard(run_id: str) -> str:
    return _shard_name(zlib.crc32(run_id.encode()) % SHARDS)


def _shard_name(shard: int) -> str:
    return f"ACTIVE#{shard}"


def _month(at: float) -> str:
    return f"RUNS#{datetime.fromtimestamp(at, UTC):%Y-%m}"


def _month_shard(run: Run) -> str:
    return f"{_month(run.created_at)}#{zlib.crc32(run.id.encode()) % SHARDS}"


def _age(run: Run) -> str:
    return f"{run.created_at:017.6f}#{run.id}"


def _run_of(age: str) -> str:
    return age.partition("#")[2]
