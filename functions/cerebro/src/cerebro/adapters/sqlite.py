"""SQLite: the store of a `CORDYNA_HOME`, one file that outlives `kill -9`.

Law: everything done between `transaction()` and its end is kept whole or not at all. WAL with synchronous=NORMAL: a
killed process loses nothing that was committed; a power cut may lose the last moments, never the file.
"""

import json
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from cerebro.adapters.encoding import decode_last, decode_plan, decode_run, decode_task, encode_last, encode_plan, encode_run, encode_task
from cerebro.core.graph import Graph, Head
from cerebro.core.model import PAGE_SIZE, Last, Pinned, Plan, Run, TaskRun
from cerebro.ports import ServerSeen
from cordyna_core.contract.declared import ServerDeclared
from cordyna_core.contract.state_updates import ServerState
from cordyna_core.errors import ServiceError

SCHEMA_VERSION: Final = 1

SIGN_OF_LIFE_S: Final = 60.0
"""Signs of life that say nothing new are noted this often at most."""

_SCHEMA: Final = """
create table head (one integer primary key check (one = 1), generation integer not null, servers text not null);
create table declarations (version text primary key, declared text not null) without rowid;
create table servers (server text primary key, state text, at real not null, missed_at real) without rowid;
create table lasts (
  task text, fingerprint text, dispatched_at real not null, last text not null, primary key (task, fingerprint)
) without rowid;
create table ticks (task text primary key, nominal real not null) without rowid;
create table plans (id text primary key, plan blob not null) without rowid;
create table keys (key text primary key, task text not null) without rowid;
create table runs (id text primary key, version integer not null, status text not null, created_at real not null, run text not null);
create index runs_by_age on runs (created_at);
create index runs_active on runs (id) where status = 'running';
create table tasks (
  run_id text, place integer, rev integer not null, fact text not null, primary key (run_id, place)
) without rowid;
create table outputs (run_id text, place integer, attempt integer not null, output text not null, primary key (run_id, place));
create table events (seq integer primary key, run_id text, event text not null);
create index events_of_run on events (run_id, seq);
create table lines (run_id text, task text, attempt integer, at real, stream text, line text);
create index lines_of_run on lines (run_id);
create table inbox (seq integer primary key, event text not null);
create table waited_for (seq integer primary key, run_id text unique not null);
create table dead_letters (seq integer primary key, event text not null, reason text not null, at real not null);
"""


def connect(path: Path) -> sqlite3.Connection:
    """Open the file and see that its tables are there.

    Raises:
        ServiceError: when the file cannot be read or written, is no database, or is of a newer cordyna.
    """
    try:
        # One lock in the engine guards the connection, so it may be used from several threads.
        connection = sqlite3.connect(path, timeout=10, isolation_level=None, check_same_thread=False, cached_statements=256)
        found = connection.execute("pragma user_version").fetchone()[0]
        if found not in (0, SCHEMA_VERSION):
            raise ServiceError(
                f"{path} was written by another version of cordyna (its format is {found}, this one reads {SCHEMA_VERSION}).",
                next="use that version, or point CORDYNA_HOME at another folder.",
            )
        connection.execute("pragma journal_mode=wal")
        connection.execute("pragma synchronous=normal")
        if found == 0:
            connection.executescript(f"begin immediate; {_SCHEMA} pragma user_version={SCHEMA_VERSION}; commit;")
    except sqlite3.Error as broken:
        raise unusable(path, broken) from broken
    return connection


def unusable(path: Path, broken: sqlite3.Error) -> ServiceError:
    """What to tell a person about a database that does not work."""
    return ServiceError(
        f"the database {path} cannot be used: {broken}.",
        why="it may be damaged, read-only, on a full disk, or no database at all.",
        next="make room or mend its permissions; or set CORDYNA_HOME to another folder (what ran before stays in the old one).",
    )


class SqliteStore:
    """Implements the Store port on a connection that the caller guards."""

    def __init__(self, connection: sqlite3.Connection, path: Path) -> None:
        self._db, self._path = connection, path
        self._graph: Graph = Graph.of({})
        self._pinned: dict[str, Pinned] = {}
        self._plans: dict[str, Plan] = {}
        self._guards: dict[tuple[str, int], float] = {}
        self._noted: dict[str, float] = {}

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing. Raises ServiceError when the disk is full or the file cannot be written."""
        with self.reading():
            try:
                self._db.execute("begin immediate")
                yield
                self._db.execute("commit")
            except BaseException:
                self._roll_back()
                raise

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Raises ServiceError when the file cannot be read (any more)."""
        try:
            yield
        except sqlite3.Error as broken:
            raise unusable(self._path, broken) from broken

    def _roll_back(self) -> None:
        if self._db.in_transaction:
            self._db.execute("rollback")
        # What was remembered may never have been written.
        self._pinned.clear()
        self._guards.clear()
        self._noted.clear()

    def read_graph(self) -> Graph:
        row = self._db.execute("select generation, servers from head").fetchone()
        if row is not None and row[0] != self._graph.generation:
            self._graph = Graph.of({server: self._declared(version) for server, version in json.loads(row[1]).items()}, row[0])
        return self._graph

    def _declared(self, version: str) -> ServerDeclared:
        (text,) = self._db.execute("select declared from declarations where version = ?", (version,)).fetchone()
        return ServerDeclared.model_validate_json(text)

    def write_declaration(self, version: str, declared: ServerDeclared) -> None:
        self._db.execute("insert or replace into declarations values (?, ?)", (version, declared.model_dump_json(exclude_none=True)))

    def write_head(self, new: Head, seen: Head) -> bool:
        if self.read_graph().head != seen:
            return False
        self._db.execute("insert or replace into head values (1, ?, ?)", (new.generation, json.dumps(dict(new.servers))))
        return True

    def note_server(self, server: str, state: ServerState | None, at: float) -> None:
        if state is None and at - self._noted.get(server, 0.0) < SIGN_OF_LIFE_S:
            return
        self._noted[server] = at
        self._db.execute(
            "insert into servers (server, state, at) values (?, ?, ?) on conflict (server) do update set"
            " state = coalesce(excluded.state, state), at = max(at, excluded.at)",
            (server, state, at),
        )

    def note_missed(self, server: str, at: float) -> None:
        self._noted.pop(server, None)
        self._db.execute(
            "insert into servers (server, at, missed_at) values (?, 0, ?)"
            " on conflict (server) do update set missed_at = excluded.missed_at",
            (server, at),
        )

    def servers(self) -> list[ServerSeen]:
        return [ServerSeen(*row) for row in self._db.execute("select server, state, at, missed_at from servers order by server")]

    def read_last(self, task: str, fingerprint: str) -> Last | None:
        row = self._db.execute("select last from lasts where task = ? and fingerprint = ?", (task, fingerprint)).fetchone()
        return decode_last(row[0]) if row else None

    def write_last(self, task: str, fingerprint: str, last: Last) -> None:
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
            "insert into ticks values (?, ?) on conflict (task) do update set nominal = max(nominal, excluded.nominal)", (task, nominal)
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
            done = self._db.execute("insert or ignore into runs (version, status, created_at, run, id) values (?, ?, ?, ?, ?)", values)
        else:
            done = self._db.execute(
                "update runs set version = ?, status = ?, created_at = ?, run = ? where id = ? and version = ?", (*values, seen.version)
            )
        return None if done.rowcount == 1 else self.read_run(new.id)

    def read_pinned(self, run_id: str) -> Pinned | None:
        pinned = self._pinned.get(run_id)
        if pinned is None and (run := self.read_run(run_id)) is not None:
            pinned = self._pinned[run_id] = Pinned(run, self._plan(run.plan_id))
        return pinned

    def _plan(self, plan_id: str) -> Plan:
        plan = self._plans.get(plan_id)
        if plan is None:
            (blob,) = self._db.execute("select plan from plans where id = ?", (plan_id,)).fetchone()
            plan = self._plans[plan_id] = decode_plan(blob)
        return plan

    def active_runs(self) -> list[str]:
        return [row[0] for row in self._db.execute("select id from runs where status = 'running' order by created_at")]

    def runs(self, limit: int) -> list[Run]:
        return [
            decode_run(row[0]) for row in self._db.execute("select run from runs order by created_at desc, rowid desc limit ?", (limit,))
        ]

    def read_task(self, run_id: str, index: int) -> TaskRun | None:
        row = self._db.execute("select fact from tasks where run_id = ? and place = ?", (run_id, index)).fetchone()
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

    def write_task(self, run_id: str, index: int, new: TaskRun, seen: TaskRun | None) -> TaskRun | None:
        fact = encode_task(new)
        if seen is None:
            done = self._db.execute("insert or ignore into tasks values (?, ?, ?, ?)", (run_id, index, new.rev, fact))
        else:
            done = self._db.execute(
                "update tasks set rev = ?, fact = ? where run_id = ? and place = ? and rev = ?", (new.rev, fact, run_id, index, seen.rev)
            )
        return None if done.rowcount == 1 else self.read_task(run_id, index)

    def read_outputs(self, run_id: str, indexes: Sequence[int]) -> dict[int, Any]:
        rows = ((i, self._db.execute("select output from outputs where run_id = ? and place = ?", (run_id, i)).fetchone()) for i in indexes)
        return {index: json.loads(row[0]) for index, row in rows if row}

    def write_output(self, run_id: str, index: int, attempt: int, output: Any) -> None:
        self._db.execute(
            "insert into outputs values (?, ?, ?, ?) on conflict do update set attempt = excluded.attempt, output = excluded.output"
            " where excluded.attempt >= attempt",
            (run_id, index, attempt, json.dumps(output)),
        )

    def is_guarded(self, run_id: str, page: int, after: float, until: float) -> bool:
        due = self._guards.get((run_id, page))
        return due is not None and after < due <= until

    def write_guard(self, run_id: str, page: int, due: float, after: float) -> None:
        # Kept in the process, because the rings of this engine are too: both are gone together.
        if not self.is_guarded(run_id, page, after, due):
            self._guards[run_id, page] = due
