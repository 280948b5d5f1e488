"""Run store: plans and runs in SQLite.

Invariant: `ended_at` of a run is set exactly while the run is over; retention counts from it.
A cached run is used only inside a transaction, and only if no row has been written past this store
since it was cached.
"""

import math
from typing import Final

from cerebro.adapters.codecs import decode_plan, decode_run, encode_plan, encode_run
from cerebro.adapters.lru_cache import LruCache
from cerebro.adapters.readable_items import readable
from cerebro.adapters.sqlite.database import SqliteFile, decoding
from cerebro.core.model.plan import Plan
from cerebro.core.model.run import Run, RunSnapshot

CACHED_TASKS_MAX: Final = 500_000
"""Planned tasks in the cache of plans."""

CACHED_RUNS_MAX: Final = 100

_INSERT_RUN: Final = """
insert or ignore into runs (version, status, ended_at, run, id, plan_id, created_at)
values (?, ?, ?, ?, ?, ?, ?)
"""

_UPDATE_RUN: Final = """
update runs set version = ?, status = ?, ended_at = ?, run = ? where id = ? and version = ?
"""


class SqliteRunStore:
    """The part of the Store port about runs. The caller serializes access."""

    def __init__(self, file: SqliteFile) -> None:
        self._file, self._db = file, file.db
        self._plans: LruCache[str, Plan] = LruCache(CACHED_TASKS_MAX, lambda plan: plan.size)
        self._snapshots: LruCache[str, RunSnapshot] = LruCache(CACHED_RUNS_MAX)
        self._runs: LruCache[str, Run] = LruCache(CACHED_RUNS_MAX)
        file.on_roll_back(self._clear_snapshots)
        file.on_roll_back(self._clear_runs)
        file.on_other_write(self._clear_runs)

    def _clear_snapshots(self) -> None:
        self._snapshots = LruCache(CACHED_RUNS_MAX)

    def _clear_runs(self) -> None:
        self._runs = LruCache(CACHED_RUNS_MAX)

    def write_plan(self, plan: Plan) -> None:
        self._db.execute("insert or ignore into plans values (?, ?)", (plan.id, encode_plan(plan)))

    def read_run(self, run_id: str) -> Run | None:
        if not self._db.in_transaction:
            return self._read_run(run_id)
        run = self._runs.get(run_id)
        if run is None and (run := self._read_run(run_id)) is not None:
            self._runs.put(run_id, run)
        return run

    def _read_run(self, run_id: str) -> Run | None:
        row = self._db.execute("select run from runs where id = ?", (run_id,)).fetchone()
        return self._decode(run_id, row[0]) if row else None

    def write_run(self, new: Run, seen: Run | None) -> Run | None:
        ended_at = self._file.clock() if new.is_over else None
        if seen is None:
            cursor = self._db.execute(
                _INSERT_RUN,
                (
                    new.version,
                    new.status,
                    ended_at,
                    encode_run(new),
                    new.id,
                    new.plan_id,
                    new.created_at,
                ),
            )
        else:
            cursor = self._db.execute(
                _UPDATE_RUN,
                (new.version, new.status, ended_at, encode_run(new), new.id, seen.version),
            )
        if cursor.rowcount != 1:
            return self.read_run(new.id)
        self._runs.put(new.id, new)
        return None

    def read_run_snapshot(self, run_id: str) -> RunSnapshot | None:
        snapshot = self._snapshots.get(run_id)
        if snapshot is None and (run := self.read_run(run_id)) is not None:
            snapshot = self._snapshots.put(run_id, RunSnapshot(run, self._plan(run)))
        return snapshot

    def _plan(self, run: Run) -> Plan:
        plan = self._plans.get(run.plan_id)
        if plan is None:
            row = self._db.execute("select plan from plans where id = ?", (run.plan_id,)).fetchone()
            # A missing row is a kind of damage, too: the plan is written before its run.
            with decoding(self._file.path, "plans", run.plan_id, run.id):
                plan = self._plans.put(run.plan_id, decode_plan(row[0]))
        return plan

    def _decode(self, run_id: str, text: str) -> Run:
        with decoding(self._file.path, "runs", run_id, run_id):
            return decode_run(text)

    def active_runs(self) -> list[str]:
        rows = self._db.execute("select id from runs where status = 'running' order by created_at")
        return [run_id for (run_id,) in rows]

    def runs(self, limit: int, *, before: float = math.inf) -> list[Run]:
        rows = self._db.execute(
            "select id, run from runs where created_at < ?"
            " order by created_at desc, rowid desc limit ?",
            (before, limit),
        )
        return list(readable(rows, lambda row: self._decode(*row)))
