"""Runs in DynamoDB: plans, cached results, and runs.

Invariant: a run and everything of it expire at the same moment, never before the longest time that
its plan can take; from then on the run is unknown. How runs are listed, and found while they are
active, is in dynamodb_run_marks.py.
"""

import logging
import math
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Final, NamedTuple

from cerebro.adapters.aws.dynamodb_chunks import (
    chunks_of_plan,
    plan_of_chunks,
    read_chunks,
    write_chunks,
)
from cerebro.adapters.aws.dynamodb_run_marks import DAY_S, RunMarks, age_of, run_of
from cerebro.adapters.aws.dynamodb_table import BATCH_GET_MAX_ITEMS, Item, Key, Table
from cerebro.adapters.codecs import (
    OtherFormat,
    decode_cached_result,
    decode_run,
    encode_cached_result,
    encode_run,
)
from cerebro.adapters.decoded_types import require_types
from cerebro.adapters.lru_cache import LruCache
from cerebro.adapters.readable_items import readable
from cerebro.core.model.plan import CachedResult, Plan, PlannedTask
from cerebro.core.model.run import Run, RunSnapshot
from cerebro.ports import DamagedItem
from cordyna_core.ports import Clock

_log = logging.getLogger(__name__)

_CACHED_RUNS_MAX: Final = 1_000
MARKS_PER_REQUEST: Final = 1_000
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
        self._marks = RunMarks(table, clock, self._retention_s, self._pages_of)

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
        return self._table.decoded(item, self._result) if item else None

    def write_cached_result(self, task: str, fingerprint: str, result: CachedResult) -> None:
        pk, sk = _last(task, fingerprint)
        # Never after the run that it points to, which is retained as long after the longest time it
        # can take.
        expires_at = int(self._clock() + self._retention_s)
        item: Item = {
            "pk": pk,
            "sk": sk,
            "last": encode_cached_result(result),
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

    def read_recent_run(self, run_id: str) -> Run | None:
        item = self._table.get_recent(run_key(run_id))
        return self._run(item) if item else None

    def write_run(self, new: Run, seen: Run | None) -> Run | None:
        expires_at = self._expires_at(new)
        if seen is None:
            self._marks.list_run(new, expires_at)
        elif seen.is_over and not new.is_over:
            self._marks.mark_active(new, expires_at)
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
            return self._table.decoded(conflicting, _stored_run)
        if seen is None and (cached := self._plans.get(new.plan_id)):
            self._snapshots.put(new.id, RunSnapshot(new, cached.plan))
        return None

    def read_run_snapshot(self, run_id: str) -> RunSnapshot | None:
        snapshot = self._snapshots.get(run_id)
        if snapshot is None and (run := self._read_created(run_id)) is not None:
            cached = self._cached_plan(run.plan_id)
            if cached is None:
                raise DamagedItem(
                    f"the plan of run {run_id} is not in its table.",
                    why="the table was changed by hand, or restored in part.",
                    next="cancel the run and invoke its task again.",
                )
            snapshot = self._snapshots.put(run_id, RunSnapshot(run, cached.plan))
        return snapshot

    def _read_created(self, run_id: str) -> Run | None:
        """Return the run as it was at some moment since its creation."""
        return self.read_recent_run(run_id) or self.read_run(run_id)

    def active_runs(self) -> list[str]:
        runs = self._read_runs(self._marks.candidates())
        return [run_id for run_id, run in runs.items() if not run.is_over]

    def active_pages(self, shard: int, after: str = "") -> Iterator[tuple[str, int]]:
        """See handlers.sweep.ActivePages. Marks are read as they are needed, not all at once."""
        return self._marks.active_pages(shard, after, self._read_runs)

    def new_active_pages(self, shard: int) -> Iterator[tuple[str, int]]:
        """See handlers.sweep.ActivePages."""
        # What was listed since `settled` is read by the next sweep, too, and a run that is reopened
        # was marked before: see dynamodb_run_marks.py.
        return self._marks.new_active_pages(shard, self._read_recent_runs)

    def _read_recent_runs(self, run_ids: Iterable[str]) -> dict[str, Run]:
        return self._read_runs(run_ids, is_consistent=False)

    def _read_runs(self, run_ids: Iterable[str], *, is_consistent: bool = True) -> dict[str, Run]:
        """Return the stored ones of these runs, by id."""
        items = self._table.get_many(map(run_key, run_ids), is_consistent=is_consistent)
        runs = readable(items.values(), self._run)
        return {run.id: run for run in runs if run is not None}

    def _pages_of(self, run: Run) -> int:
        try:
            cached = self._cached_plan(run.plan_id)
        except (DamagedItem, OtherFormat):
            # Who handles the timer of its first page fails with this error, and names the item.
            _log.exception("the plan of run %s cannot be read", run.id)
            return 1
        return len(cached.plan.pages) if cached else 1

    def runs(self, limit: int, *, before: float = math.inf) -> list[Run]:
        runs: dict[str, Run] = {}
        page = min(limit, BATCH_GET_MAX_ITEMS)
        listed = self._marks.newest(page)
        if before < math.inf:
            oldest_skipped = f"{before:017.6f}"
            # A mark is small: ten thousand that are skipped are one MB, and no run is read.
            listed = (age for age in self._marks.newest(MARKS_PER_REQUEST) if age < oldest_skipped)
        while len(runs) < limit and (batch := list(islice(listed, page))):
            stored = self._read_runs(map(run_of, batch))
            for age in batch:
                run = stored.get(run_of(age))
                # A mark with another time was written by a duplicate of the command that lost the
                # race.
                if run is not None and age_of(run) == age:
                    runs[run.id] = run
        return list(runs.values())[:limit]

    def expires_at(self, run_id: str) -> int:
        """Return when everything of a run expires (UTC seconds)."""
        snapshot = self.read_run_snapshot(run_id)
        return (
            self._expires_at(snapshot.run) if snapshot else int(self._clock() + self._retention_s)
        )

    def _expires_at(self, run: Run) -> int:
        cached = self._cached_plan(run.plan_id)
        return int(run.created_at + self._retention_s + (cached.longest_s if cached else 0))

    def _run(self, item: Item) -> Run | None:
        return self._table.decoded(
            item, lambda stored: None if self._is_expired(stored) else _stored_run(stored)
        )

    def _result(self, item: Item) -> CachedResult | None:
        if self._is_expired(item):
            return None
        return require_types(decode_cached_result(str(item["last"])))

    def _is_expired(self, item: Item) -> bool:
        # DynamoDB deletes expired items up to two days late; until then they are ignored here.
        return float(item["expires_at"]) <= self._clock()

    def _cached_plan(self, plan_id: str) -> _CachedPlan | None:
        cached = self._plans.get(plan_id)
        if cached is None:
            plans = read_chunks(self._table, {plan_id: _PlanKeys(plan_id)}, plan_of_chunks)
            if (plan := plans.get(plan_id)) is not None:
                cached = self._plans.put(plan_id, _CachedPlan(plan, longest_s(plan), until=0))
        return cached


def longest_s(plan: Plan) -> float:
    """Return the longest time that a run of the plan can take, in seconds.

    All clocks expire, and all retries are used.
    """
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
    """Return the key of a run.

    The wait state machine reads its `status` (infra/.../timers.py).
    """
    return f"RUN#{run_id}", "META"


def _stored_run(item: Item) -> Run:
    return require_types(decode_run(str(item["run"])))


def _last(task: str, fingerprint: str) -> Key:
    return f"TASK#{task}", f"LAST#{fingerprint}"
