"""EventLog: what passed the bus of a home, what its tasks printed, and what others have put into its inbox.

Law: events are kept in the order in which they passed. What leaves the inbox has been dealt with in the same transaction.
"""

from collections.abc import Sequence
from typing import Protocol

from cerebro.adapters.sqlite.database import SqliteFile
from cordyna_core.contract.time import utc
from cordyna_core.contract.views.runs import LogLine, PassedEvent


class EventLog(Protocol):
    """Beside the store, in the same transactions."""

    def append(self, run_id: str | None, event: str) -> None: ...
    def events(self, run_id: str | None, after: int) -> list[PassedEvent]: ...
    def last_seq(self) -> int: ...
    def append_log_lines(self, lines: Sequence[LogLine]) -> None: ...
    def log_lines(self, run_id: str, task: str | None) -> list[LogLine]: ...
    def put_inbox(self, events: Sequence[str]) -> None: ...
    def has_inbox(self) -> bool: ...
    def withdraw(self, event: str) -> None:
        """Take an event out of the inbox again that nobody has taken."""
        ...

    def drain_inbox(self) -> list[str]: ...
    def add_waiter(self, run_id: str) -> None:
        """Somebody waits for this run's end."""
        ...

    def awaited_runs(self) -> list[str]:
        """Runs whose end nobody has been told, the oldest first: who waited for them was killed, or still waits."""
        ...

    def remove_waiter(self, run_id: str) -> None: ...
    def add_dead_letter(self, event: str, reason: str, at: float) -> None: ...
    def dead_letters(self) -> list[tuple[str, str]]: ...
    def drain_dead_letters(self) -> list[str]:
        """What was buried, which is not buried any more."""
        ...


class MemoryEventLog:
    """Implements EventLog for as long as the process lives."""

    def __init__(self) -> None:
        self._events: list[tuple[str | None, str]] = []
        self._lines: list[LogLine] = []
        self._inbox: list[str] = []
        self._buried: list[tuple[str, str]] = []
        self._waited_for: dict[str, None] = {}

    def append(self, run_id: str | None, event: str) -> None:
        self._events.append((run_id, event))

    def events(self, run_id: str | None, after: int) -> list[PassedEvent]:
        found = enumerate(self._events[after:], start=after + 1)
        return [
            PassedEvent(seq=seq, text=event)
            for seq, (of_run, event) in found
            if run_id in (None, of_run)
        ]

    def last_seq(self) -> int:
        return len(self._events)

    def append_log_lines(self, lines: Sequence[LogLine]) -> None:
        self._lines.extend(lines)

    def log_lines(self, run_id: str, task: str | None) -> list[LogLine]:
        return [line for line in self._lines if line.run_id == run_id and task in (None, line.task)]

    def put_inbox(self, events: Sequence[str]) -> None:
        self._inbox.extend(events)

    def has_inbox(self) -> bool:
        return bool(self._inbox)

    def withdraw(self, event: str) -> None:
        self._inbox = [other for other in self._inbox if other != event]

    def drain_inbox(self) -> list[str]:
        taken, self._inbox = self._inbox, []
        return taken

    def add_waiter(self, run_id: str) -> None:
        self._waited_for[run_id] = None

    def awaited_runs(self) -> list[str]:
        return list(self._waited_for)

    def remove_waiter(self, run_id: str) -> None:
        self._waited_for.pop(run_id, None)

    def add_dead_letter(self, event: str, reason: str, at: float) -> None:
        del at
        self._buried.append((event, reason))

    def dead_letters(self) -> list[tuple[str, str]]:
        return list(self._buried)

    def drain_dead_letters(self) -> list[str]:
        events = [event for event, _ in self._buried]
        self._buried.clear()
        return events


class SqliteEventLog:
    """Implements EventLog in the file of a home, which the caller guards."""

    def __init__(self, file: SqliteFile) -> None:
        self._db = file.db

    def append(self, run_id: str | None, event: str) -> None:
        self._db.execute("insert into events (run_id, event) values (?, ?)", (run_id, event))

    def events(self, run_id: str | None, after: int) -> list[PassedEvent]:
        if run_id is None:
            rows = self._db.execute(
                "select seq, event from events where seq > ? order by seq", (after,)
            )
        else:
            rows = self._db.execute(
                "select seq, event from events where run_id = ? and seq > ? order by seq",
                (run_id, after),
            )
        return [PassedEvent(seq=seq, text=event) for seq, event in rows]

    def last_seq(self) -> int:
        (seq,) = self._db.execute("select coalesce(max(seq), 0) from events").fetchone()
        return int(seq)

    def append_log_lines(self, lines: Sequence[LogLine]) -> None:
        self._db.executemany(
            "insert into lines values (?, ?, ?, ?, ?, ?)",
            [
                (line.run_id, line.task, line.attempt, line.at.timestamp(), line.stream, line.text)
                for line in lines
            ],
        )

    def log_lines(self, run_id: str, task: str | None) -> list[LogLine]:
        rows = self._db.execute(
            "select run_id, task, attempt, at, stream, line from lines where run_id = ? and ifnull(?, task) = task order by at, rowid",
            (run_id, task),
        )
        return [
            LogLine(run_id=r, task=t, attempt=n, at=utc(at), stream=stream, text=line)
            for r, t, n, at, stream, line in rows
        ]

    def put_inbox(self, events: Sequence[str]) -> None:
        self._db.executemany("insert into inbox (event) values (?)", [(event,) for event in events])

    def withdraw(self, event: str) -> None:
        self._db.execute("delete from inbox where event = ?", (event,))

    def has_inbox(self) -> bool:
        return self._db.execute("select 1 from inbox limit 1").fetchone() is not None

    def drain_inbox(self) -> list[str]:
        rows = self._db.execute("select seq, event from inbox order by seq").fetchall()
        if rows:
            self._db.execute("delete from inbox where seq <= ?", (rows[-1][0],))
        return [event for _, event in rows]

    def add_waiter(self, run_id: str) -> None:
        self._db.execute("insert or ignore into waited_for (run_id) values (?)", (run_id,))

    def awaited_runs(self) -> list[str]:
        return [row[0] for row in self._db.execute("select run_id from waited_for order by seq")]

    def remove_waiter(self, run_id: str) -> None:
        self._db.execute("delete from waited_for where run_id = ?", (run_id,))

    def add_dead_letter(self, event: str, reason: str, at: float) -> None:
        self._db.execute(
            "insert into dead_letters (event, reason, at) values (?, ?, ?)", (event, reason, at)
        )

    def dead_letters(self) -> list[tuple[str, str]]:
        return self._db.execute("select event, reason from dead_letters order by seq").fetchall()

    def drain_dead_letters(self) -> list[str]:
        events = [event for event, _ in self.dead_letters()]
        self._db.execute("delete from dead_letters")
        return events
