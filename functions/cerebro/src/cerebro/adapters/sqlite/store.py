"""SQLite store: facts, runs, plans and the graph of a home, in a file that survives `kill -9`.

Invariant: caches hold committed values only; a rolled back transaction clears them.
"""

import json
from collections.abc import Sequence
from typing import Any, Final

from cerebro.adapters.codecs import (
    decode_last,
    decode_plan,
    decode_run,
    decode_task,
    encode_last,
    encode_plan,
    encode_run,
    encode_task,
)
from cerebro.adapters.lru_cache import LruCache
from cerebro.adapters.sqlite.database import SqliteFile
from cerebro.core.graph.graph import Graph, Head
from cerebro.core.model import PAGE_SIZE, CachedResult, Plan, Run, RunSnapshot, TaskRun
from cerebro.ports import ServerSeen
from cordyna_core.contract.declaration import ServerDeclared
from cordyna_core.contract.state_updates import ServerState

SIGN_OF_LIFE_INTERVAL_S: Final = 60.0
"""Signs of life without a new state are stored at most this often."""

CACHED_TASKS_MAX: Final = 500_000
"""Planned tasks in the cache of plans."""

CACHED_RUNS_MAX: Final = 1_000


class SqliteStore:
    """Implements the Store port. The caller serializes access to the file."""

    def __init__(self, file: SqliteFile) -> None:
        self._db = file.db
        self._graph: Graph = Graph.of({})
        self._versions: dict[str, str] = {}
        self._plans: LruCache[str, Plan] = LruCache(CACHED_TASKS_MAX, lambda plan: plan.size)
        self._page_timers: dict[tuple[str, int], float] = {}
        self._noted: dict[str, float] = {}
        self._snapshots: LruCache[str, RunSnapshot] = LruCache(CACHED_RUNS_MAX)
        file.on_roll_back(self._clear_caches)

    def _clear_caches(self) -> None:
        self._graph, self._versions = Graph.of({}, -1), {}
        self._snapshots = LruCache(CACHED_RUNS_MAX)
        self._page_timers.clear()
        self._noted.clear()

    def read_graph(self) -> Graph:
        row = self._db.execute("select generation, servers from head").fetchone()
        if row is not None and row[0] != self._graph.generation:
            versions: dict[str, str] = json.loads(row[1])
            declarations = {
                server: self._declared(server, version) for server, version in versions.items()
            }
            self._graph, self._versions = self._graph.with_servers(declarations, row[0]), versions
        return self._graph

    def _declared(self, server: str, version: str) -> ServerDeclared:
        if self._versions.get(server) == version:
            return self._graph.declarations[server]
        (text,) = self._db.execute(
            "select declared from declarations where version = ?", (version,)
        ).fetchone()
        return ServerDeclared.model_validate_json(text)

    def write_declaration(self, version: str, declared: ServerDeclared) -> None:
        self._db.execute(
            "insert or replace into declarations values (?, ?)",
            (version, declared.model_dump_json(exclude_none=True)),
        )

    def write_head(self, new: Head, seen: Head) -> bool:
        if self.read_graph().head != seen:
            return False
        self._db.execute(
            "insert or replace into head values (1, ?, ?)",
            (new.generation, json.dumps(dict(new.servers))),
        )
        return True

    def note_server(self, server: str, state: ServerState | None, at: float) -> None:
        if state is None and at - self._noted.get(server, 0.0) < SIGN_OF_LIFE_INTERVAL_S:
            return
        self._noted[server] = at
        self._db.execute(
            "insert into servers (server, state, at) values (?, ?, ?) on conflict (server) do update set"
            " state = coalesce(excluded.state, state), at = max(at, excluded.at)",
            (server, state, at),
        )

    def note_missed_ack(self, server: str, at: float) -> None:
        self._noted.pop(server, None)
        self._db.execute(
            "insert into servers (server, at, missed_at) values (?, 0, ?)"
            " on conflict (server) do update set missed_at = excluded.missed_at",
            (server, at),
        )

    def servers(self) -> list[ServerSeen]:
        return [
            ServerSeen(*row)
            for row in self._db.execute(
                "select server, state, at, missed_at from servers order by server"
            )
        ]

    def read_cached_result(self, task: str, fingerprint: str) -> CachedResult | None:
        row = self._db.execute(
            "select last from lasts where task = ? and fingerprint = ?", (task, fingerprint)
        ).fetchone()
        return decode_last(row[0]) if row else None

    def write_cached_result(self, task: str, fingerprint: str, last: CachedResult) -> None:
        self._db.execute(
            "insert into lasts values (?, ?, ?, ?) on conflict do update set dispatched_at = excluded.dispatched_at, last = excluded.last"
            " where excluded.dispatched_at > dispatched_at",
            (task, fingerprint, last.dispatched_at, encode_last(last)),
        )

    def read_tick(self, task: str) -> float | None:
        row = self._db.execute("select nominal from ticks where task = ?", (task,)).fetchone()
        return row[0] if row else None

    def write_tick(self, task: str, nominal: float) -> None:
        self._db.execute(
            "insert into ticks values (?, ?) on conflict (task) do update set nominal = max(nominal, excluded.nominal)",
            (task, nominal),
        )

    def write_plan(self, plan: Plan) -> None:
        self._db.execute("insert or ignore into plans values (?, ?)", (plan.id, encode_plan(plan)))

    def claim_key(self, key: str, task: str) -> str:
        self._db.execute("insert or ignore into keys values (?, ?)", (key, task))
        (holder,) = self._db.execute("select task from keys where key = ?", (key,)).fetchone()
        return str(holder)

    def read_run(self, run_id: str) -> Run | None:
        row = self._db.execute("select run from runs where id = ?", (run_id,)).fetchone()
        return decode_run(row[0]) if row else None

    def write_run(self, new: Run, seen: Run | None) -> Run | None:
        values = (new.version, new.status, new.created_at, encode_run(new), new.id)
        if seen is None:
            done = self._db.execute(
                "insert or ignore into runs (version, status, created_at, run, id) values (?, ?, ?, ?, ?)",
                values,
            )
        else:
            done = self._db.execute(
                "update runs set version = ?, status = ?, created_at = ?, run = ? where id = ? and version = ?",
                (*values, seen.version),
            )
        return None if done.rowcount == 1 else self.read_run(new.id)

    def read_run_snapshot(self, run_id: str) -> RunSnapshot | None:
        snapshot = self._snapshots.get(run_id)
        if snapshot is None and (run := self.read_run(run_id)) is not None:
            snapshot = self._snapshots.put(run_id, RunSnapshot(run, self._plan(run.plan_id)))
        return snapshot

    def _plan(self, plan_id: str) -> Plan:
        plan = self._plans.get(plan_id)
        if plan is None:
            (blob,) = self._db.execute("select plan from plans where id = ?", (plan_id,)).fetchone()
            plan = self._plans.put(plan_id, decode_plan(blob))
        return plan

    def active_runs(self) -> list[str]:
        return [
            row[0]
            for row in self._db.execute(
                "select id from runs where status = 'running' order by created_at"
            )
        ]

    def runs(self, limit: int) -> list[Run]:
        return [
            decode_run(row[0])
            for row in self._db.execute(
                "select run from runs order by created_at desc, rowid desc limit ?", (limit,)
            )
        ]

    def read_task(self, run_id: str, index: int) -> TaskRun | None:
        row = self._db.execute(
            "select fact from tasks where run_id = ? and place = ?", (run_id, index)
        ).fetchone()
        return decode_task(row[0]) if row else None

    def read_tasks(self, run_id: str, indexes: Sequence[int]) -> dict[int, TaskRun]:
        found = {index: self.read_task(run_id, index) for index in indexes}
        return {index: fact for index, fact in found.items() if fact is not None}

    def read_page(self, run_id: str, page: int) -> dict[int, TaskRun]:
        rows = self._db.execute(
            "select place, fact from tasks where run_id = ? and place >= ? and place < ? order by place desc",
            (run_id, page * PAGE_SIZE, (page + 1) * PAGE_SIZE),
        )
        return {place: decode_task(fact) for place, fact in rows}

    def write_task(
        self, run_id: str, index: int, new: TaskRun, seen: TaskRun | None
    ) -> TaskRun | None:
        fact = encode_task(new)
        if seen is None:
            done = self._db.execute(
                "insert or ignore into tasks values (?, ?, ?, ?)", (run_id, index, new.rev, fact)
            )
        else:
            done = self._db.execute(
                "update tasks set rev = ?, fact = ? where run_id = ? and place = ? and rev = ?",
                (new.rev, fact, run_id, index, seen.rev),
            )
        return None if done.rowcount == 1 else self.read_task(run_id, index)

    def read_outputs(self, run_id: str, indexes: Sequence[int]) -> dict[int, Any]:
        rows = (
            (
                i,
                self._db.execute(
                    "select output from outputs where run_id = ? and place = ?", (run_id, i)
                ).fetchone(),
            )
            for i in indexes
        )
        return {index: json.loads(row[0]) for index, row in rows if row}

    def write_output(self, run_id: str, index: int, attempt: int, output: Any) -> None:
        self._db.execute(
            "insert into outputs values (?, ?, ?, ?) on conflict do update set attempt = excluded.attempt, output = excluded.output"
            " where excluded.attempt >= attempt",
            (run_id, index, attempt, json.dumps(output)),
        )

    def has_page_timer(self, run_id: str, page: int, after: float, until: float) -> bool:
        due = self._page_timers.get((run_id, page))
        return due is not None and after < due <= until

    def write_page_timer(self, run_id: str, page: int, due: float, after: float) -> None:
        # In memory, like the timers themselves: both are lost together when the process ends.
        if not self.has_page_timer(run_id, page, after, due):
            self._page_timers[run_id, page] = due
