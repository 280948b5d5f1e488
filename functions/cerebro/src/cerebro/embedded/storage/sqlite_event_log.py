"""SQLite event log: events, output, inbox, waiters and dead letters in the file of a home.

Invariant: numbers of events and lines only increase, even after old ones were pruned.
"""

import hashlib
from collections.abc import Collection, Sequence
from typing import Final

from cerebro.adapters.sqlite.database import SqliteFile
from cerebro.embedded.storage.event_log import LogChunk, StoredChunk
from cordyna_core.contract.views.runs import PassedEvent

_SELECT_EVENTS: Final = "select seq, event from events where seq > ? order by seq limit ?"
_SELECT_EVENTS_OF_RUN: Final = """
select seq, event from events where run_id = ? and seq > ? order by seq limit ?
"""
_SELECT_INCIDENT_EVENTS: Final = """
select seq, event from events where seq > ? and instr(event, '"Incident') > 0 order by seq
"""
_SELECT_LOGS: Final = """
select seq, run_id, task, attempt, at, stream, text from logs
where seq > ? and ifnull(?, task) = task order by seq limit ?
"""
_SELECT_LOGS_OF_RUN: Final = """
select seq, run_id, task, attempt, at, stream, text from logs
where run_id = ? and seq > ? and ifnull(?, task) = task order by seq limit ?
"""
_INSERT_LOG: Final = """
insert into logs (run_id, task, attempt, at, stream, text) values (?, ?, ?, ?, ?, ?)
"""
_INSERT_DEAD_LETTER: Final = """
insert into dead_letters (digest, event, reason, at) values (?, ?, ?, ?)
on conflict (digest) do update set reason = excluded.reason, at = excluded.at
"""


class SqliteEventLog:
    """Implements EventLog. The caller serializes access to the file."""

    def __init__(self, file: SqliteFile) -> None:
        self._db = file.db

    def append(self, run_id: str | None, event: str, at: float) -> None:
        self._db.execute(
            "insert into events (run_id, at, event) values (?, ?, ?)", (run_id, at, event)
        )

    def events(self, run_id: str | None, after: int, limit: int | None = None) -> list[PassedEvent]:
        most = -1 if limit is None else limit
        if run_id is None:
            rows = self._db.execute(_SELECT_EVENTS, (after, most))
        else:
            rows = self._db.execute(_SELECT_EVENTS_OF_RUN, (run_id, after, most))
        return [PassedEvent(seq=seq, text=event) for seq, event in rows]

    def texts_of(self, run_id: str, after: int) -> list[str]:
        rows = self._db.execute(_SELECT_EVENTS_OF_RUN, (run_id, after, -1))
        return [event for _, event in rows]

    def last_seq(self) -> int:
        return self._last_number_of("events")

    def incident_events(self, after: int) -> list[PassedEvent]:
        rows = self._db.execute(_SELECT_INCIDENT_EVENTS, (after,))
        return [PassedEvent(seq=seq, text=event) for seq, event in rows]

    def append_log_chunks(self, chunks: Sequence[LogChunk]) -> None:
        self._db.executemany(
            _INSERT_LOG,
            [
                (chunk.run_id, chunk.task, chunk.attempt, chunk.at, chunk.stream, chunk.text)
                for chunk in chunks
            ],
        )

    def log_chunks(
        self, run_id: str | None, task: str | None, after: int, limit: int
    ) -> list[StoredChunk]:
        if run_id is None:
            rows = self._db.execute(_SELECT_LOGS, (after, task, limit))
        else:
            rows = self._db.execute(_SELECT_LOGS_OF_RUN, (run_id, after, task, limit))
        return [StoredChunk(seq, LogChunk(*fields)) for seq, *fields in rows]

    def last_log_seq(self) -> int:
        return self._last_number_of("logs")

    def _last_number_of(self, table: str) -> int:
        # Not max(seq): the newest rows may have been pruned, and their numbers are not used again.
        row = self._db.execute(
            "select seq from sqlite_sequence where name = ?", (table,)
        ).fetchone()
        return int(row[0]) if row else 0

    def put_inbox(self, events: Sequence[str]) -> None:
        self._db.executemany("insert into inbox (event) values (?)", [(event,) for event in events])

    def has_inbox(self) -> bool:
        return self._db.execute("select 1 from inbox limit 1").fetchone() is not None

    def withdraw(self, event: str) -> bool:
        return self._db.execute("delete from inbox where event = ?", (event,)).rowcount > 0

    def drain_inbox(self, limit: int) -> list[str]:
        rows = self._db.execute(
            "select seq, event from inbox order by seq limit ?", (limit,)
        ).fetchall()
        if rows:
            self._db.execute("delete from inbox where seq <= ?", (rows[-1][0],))
        return [event for _, event in rows]

    def add_waiter(self, run_id: str) -> None:
        self._db.execute("insert or ignore into waited_for (run_id) values (?)", (run_id,))

    def awaited_runs(self) -> list[str]:
        rows = self._db.execute("select run_id from waited_for order by seq")
        return [run_id for (run_id,) in rows]

    def remove_waiter(self, run_id: str) -> None:
        self._db.execute("delete from waited_for where run_id = ?", (run_id,))

    def add_dead_letter(self, event: str, reason: str, at: float) -> None:
        self._db.execute(_INSERT_DEAD_LETTER, (_digest(event), event, reason, at))

    def dead_letters(self) -> list[tuple[str, str]]:
        return self._db.execute("select event, reason from dead_letters order by seq").fetchall()

    def drain_dead_letters(self, only: Collection[str] | None = None) -> list[str]:
        letters = [event for event, _ in self.dead_letters() if only is None or event in only]
        self._db.executemany(
            "delete from dead_letters where digest = ?", [(_digest(event),) for event in letters]
        )
        return letters


def _digest(event: str) -> str:
    return hashlib.sha256(event.encode()).hexdigest()
