"""DynamoDB's runs: plans, keys, last results, runs, which of them are active, and which are the newest.

Law: what points to a run is written before the run, and taken away after it is over. A run and all that belongs to it
expire at one moment, which is never before the longest that its plan can take, and from then on the run is not known.
"""

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
from cerebro.adapters.aws.dynamodb_table import READ_AT_ONCE, Item, Key, Table
from cerebro.adapters.codecs import decode_last, decode_run, encode_last, encode_run
from cerebro.adapters.lru_cache import LruCache
from cerebro.core.model import CachedResult, Plan, PlannedTask, Run, RunSnapshot
from cerebro.core.run.transitions import LONGEST_BACK_OFF_S
from cordyna_core.errors import ServiceError
from cordyna_core.ports import Clock

DAY_S: Final = 24 * 3600.0
SHARDS: Final = 4
"""Partitions over which the active runs are spread: starting and ending 2,000 runs a second is as much as these take."""

_RUNS_REMEMBERED: Final = 1_000
_TASKS_REMEMBERED: Final = 250_000
"""Planned tasks in all remembered plans: some 200 MB."""


class _Kept(NamedTuple):
    """A plan, the longest that a run of it can take, and until when it is known to be kept in the table."""

    plan: Plan
    longest_s: float
    until: float


class RunItems:
    """The part of the Store port that is about runs as a whole. What is over is kept for `retention_days`."""

    def __init__(self, table: Table, clock: Clock, retention_days: float) -> None:
        self._table, self._clock, self._retention_s = table, clock, retention_days * DAY_S
        self._plans: LruCache[str, _Kept] = LruCache(_TASKS_REMEMBERED, lambda kept: kept.plan.size)
        self._pinned: LruCache[str, RunSnapshot] = LruCache(_RUNS_REMEMBERED)

    def write_plan(self, plan: Plan) -> None:
        kept = self._plans.get(plan.id)
        longest = kept.longest_s if kept else longest_s(plan)
        needed = self._clock() + self._retention_s + longest
        if kept is None or kept.until < needed:
            # A day more than is needed, so that a plan that is invoked all day long is written once.
            until = needed + DAY_S
            write_chunks(
                self._table, _PlanKeys(plan.id), chunks_of_plan(plan), expires_at=int(until) + 1
            )
            self._plans.put(plan.id, _Kept(plan, longest, until))

    def claim_key(self, key: str, task: str) -> str:
        now = self._clock()
        item: Item = {
            "pk": f"KEY#{key}",
            "sk": "KEY",
            "task": task,
            "expires_at": int(now + self._retention_s),
        }
        there = self._table.put(item, "attribute_not_exists(#pk) or #expires_at <= :now", now=now)
        return str(there["task"]) if there else task

    def read_cached_result(self, task: str, fingerprint: str) -> CachedResult | None:
        item = self._table.get(_last(task, fingerprint))
        return decode_last(str(item["last"])) if item and self._is_kept(item) else None

    def write_cached_result(self, task: str, fingerprint: str, last: CachedResult) -> None:
        pk, sk = _last(task, fingerprint)
        # Never after the run that it points to: that one is kept for so long after the longest that it can take.
        expires_at = int(self._clock() + self._retention_s)
        item: Item = {
            "pk": pk,
            "sk": sk,
            "last": encode_last(last),
            "dispatched_at": last.dispatched_at,
            "expires_at": expires_at,
        }
        self._table.put(
            item,
            "attribute_not_exists(#pk) or #dispatched_at < :dispatched_at",
            dispatched_at=last.dispatched_at,
        )

    def read_run(self, run_id: str) -> Run | None:
        item = self._table.get(_meta(run_id))
        return self._run(item) if item else None

    def write_run(self, new: Run, seen: Run | None) -> Run | None:
        expires_at = self._expires_at(new)
        if seen is None:
            self._table.put(
                {"pk": _month(new.created_at), "sk": _age(new), "expires_at": expires_at}
            )
        if not new.is_over and (seen is None or seen.is_over):
            # The version says since when the run is active, so that who ended it before does not take this away.
            self._table.put(
                {
                    "pk": _shard(new.id),
                    "sk": new.id,
                    "version": new.version,
                    "expires_at": expires_at,
                }
            )
        pk, sk = _meta(new.id)
        item: Item = {
            "pk": pk,
            "sk": sk,
            "run": encode_run(new),
            "version": new.version,
            "expires_at": expires_at,
        }
        there = self._table.put_if_still(item, "version", seen.version if seen else None)
        if there is not None:
            now = decode_run(str(there["run"]))
        else:
            now = new
            if seen is None and (kept := self._plans.get(new.plan_id)):
                self._pinned.put(new.id, RunSnapshot(new, kept.plan))
        if now.is_over:
            self._forget_active(now)
        return now if there else None

    def read_run_snapshot(self, run_id: str) -> RunSnapshot | None:
        snapshot = self._pinned.get(run_id)
        if snapshot is None and (run := self.read_run(run_id)) is not None:
            kept = self._kept(run.plan_id)
            if kept is None:
                raise ServiceError(
                    f"the plan of run {run_id} is not in its table.",
                    why="the table was changed by hand, or restored in part.",
                )
            snapshot = self._pinned.put(run_id, RunSnapshot(run, kept.plan))
        return snapshot

    def active_runs(self) -> list[str]:
        marked = [
            str(item["sk"])
            for shard in range(SHARDS)
            for item in self._table.query(f"ACTIVE#{shard}")
        ]
        # A mark may be left of a run that is over: whoever ended it crashed before taking it away.
        found = (self._run(item) for item in self._table.get_many(map(_meta, marked)).values())
        return [run.id for run in found if run is not None and not run.is_over]

    def runs(self, limit: int) -> list[Run]:
        found: dict[str, Run] = {}
        at_once = min(limit, READ_AT_ONCE)
        marks = self._marks(at_once)
        while len(found) < limit and (batch := list(islice(marks, at_once))):
            items = self._table.get_many(_meta(_run_of(age)) for age in batch)
            for age in batch:
                item = items.get(_meta(_run_of(age)))
                run = self._run(item) if item else None
                # A mark of another age is of a command that came second.
                if run is not None and _age(run) == age:
                    found[run.id] = run
        return list(found.values())[:limit]

    def expires_at(self, run_id: str) -> int:
        """When what belongs to a run expires (UTC seconds)."""
        snapshot = self.read_run_snapshot(run_id)
        return (
            self._expires_at(snapshot.run) if snapshot else int(self._clock() + self._retention_s)
        )

    def _expires_at(self, run: Run) -> int:
        kept = self._kept(run.plan_id)
        return int(run.created_at + self._retention_s + (kept.longest_s if kept else 0))

    def _run(self, item: Item) -> Run | None:
        return decode_run(str(item["run"])) if self._is_kept(item) else None

    def _is_kept(self, item: Item) -> bool:
        # Expired items stay for up to two days: what is left of them is not looked at.
        return float(item["expires_at"]) > self._clock()

    def _kept(self, plan_id: str) -> _Kept | None:
        kept = self._plans.get(plan_id)
        if kept is None:
            chunks = read_chunks(self._table, {plan_id: _PlanKeys(plan_id)})
            if plan_id in chunks:
                plan = plan_of_chunks(chunks[plan_id])
                kept = self._plans.put(plan_id, _Kept(plan, longest_s(plan), until=0))
        return kept

    def _forget_active(self, run: Run) -> None:
        self._table.delete(
            (_shard(run.id), run.id),
            "attribute_not_exists(#pk) or #version <= :version",
            version=run.version,
        )

    def _marks(self, page: int) -> Iterator[str]:
        """The ages of all runs, the newest first."""
        # From tomorrow, since a run may have been made by a clock that is ahead.
        now = self._clock()
        months = dict.fromkeys(
            _month(now + DAY_S - days * DAY_S) for days in range(int(self._retention_s / DAY_S) + 2)
        )
        for month in months:
            for item in self._table.query(month, backwards=True, page=page):
                yield str(item["sk"])


def longest_s(plan: Plan) -> float:
    """The longest that a run of the plan can take: every clock runs out, every retry is needed."""
    ends: list[float] = []
    for task in plan.tasks:
        ends.append(
            max((ends[upstream] for upstream in task.awaits), default=0.0) + _longest_of(task)
        )
    return max(ends)


def _longest_of(task: PlannedTask) -> float:
    return (task.ack_timeout_s + task.start_timeout_s + task.run_timeout_s + LONGEST_BACK_OFF_S) * (
        1 + task.retries
    )


class _PlanKeys:
    """The keys of a plan's chunks."""

    def __init__(self, plan_id: str) -> None:
        self._pk = f"PLAN#{plan_id}"

    def __call__(self, number: int) -> Key:
        return self._pk, str(number)


def _meta(run_id: str) -> Key:
    return f"RUN#{run_id}", "META"


def _last(task: str, fingerprint: str) -> Key:
    return f"TASK#{task}", f"LAST#{fingerprint}"


def _shard(run_id: str) -> str:
    return f"ACTIVE#{zlib.crc32(run_id.encode()) % SHARDS}"


def _month(at: float) -> str:
    return f"RUNS#{datetime.fromtimestamp(at, UTC):%Y-%m}"


def _age(run: Run) -> str:
    return f"{run.created_at:017.6f}#{run.id}"


def _run_of(age: str) -> str:
    return age.partition("#")[2]
