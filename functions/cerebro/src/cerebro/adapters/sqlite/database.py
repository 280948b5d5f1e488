"""SQLite file: the database of a `CORDYNA_HOME`, its tables, its transactions, and what it says when it does not work.

Law: everything done between `transaction()` and its end is kept whole or not at all. WAL with synchronous=NORMAL: a
killed process loses nothing that was committed; a power cut may lose the last moments, never the file.
"""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from cordyna_core.errors import ServiceError

SCHEMA_VERSION: Final = 1

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
        connection = sqlite3.connect(
            path, timeout=10, isolation_level=None, check_same_thread=False, cached_statements=256
        )
        found = connection.execute("pragma user_version").fetchone()[0]
        if found not in (0, SCHEMA_VERSION):
            raise ServiceError(
                f"{path} was written by another version of cordyna (its format is {found}, this one reads {SCHEMA_VERSION}).",
                next="use that version, or point CORDYNA_HOME at another folder.",
            )
        connection.execute("pragma journal_mode=wal")
        connection.execute("pragma synchronous=normal")
        if found == 0:
            connection.executescript(
                f"begin immediate; {_SCHEMA} pragma user_version={SCHEMA_VERSION}; commit;"
            )
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


class SqliteFile:
    """An open database. One lock in the engine guards it, so it may be used from several threads. Raises ServiceError."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.db = connect(path)
        self._on_roll_back: list[Callable[[], None]] = []

    def on_roll_back(self, forget: Callable[[], None]) -> None:
        """Have `forget` called when what was written may not have been kept."""
        self._on_roll_back.append(forget)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing. Raises ServiceError when the disk is full or the file cannot be written."""
        with self.reading():
            try:
                self.db.execute("begin immediate")
                yield
                self.db.execute("commit")
            except BaseException:
                if self.db.in_transaction:
                    self.db.execute("rollback")
                for forget in self._on_roll_back:
                    forget()
                raise

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Raises ServiceError when the file cannot be read (any more)."""
        try:
            yield
        except sqlite3.Error as broken:
            raise unusable(self.path, broken) from broken

    def forget_runs(self, before: float) -> None:
        """Delete runs that ended and were asked for before then (UTC seconds), with all that belongs to them."""
        with self.transaction():
            self.db.execute("create temp table if not exists old (id text primary key)")
            self.db.execute("delete from old")
            self.db.execute(
                "insert into old select id from runs where created_at < ? and status <> 'running'",
                (before,),
            )
            for table, column in (
                ("runs", "id"),
                ("tasks", "run_id"),
                ("outputs", "run_id"),
                ("events", "run_id"),
                ("lines", "run_id"),
            ):
                self.db.execute(f"delete from {table} where {column} in (select id from old)")
            self.db.execute("delete from lasts where dispatched_at < ?", (before,))

    def close(self) -> None:
        """Let go of the file."""
        self.db.close()
