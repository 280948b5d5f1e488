"""Incident store: incidents, deadlines, and the marks of open incidents in SQLite.

Invariant: a write is conditional on the stored version; one that loses returns what is stored
instead.
"""

from typing import Final

from cerebro.adapters.incident_codec import (
    decode_deadline,
    decode_incident,
    encode_deadline,
    encode_incident,
)
from cerebro.adapters.sqlite.database import SqliteFile
from cerebro.core.incidents.deadline import Deadline
from cerebro.core.incidents.incident import Incident

_INSERT_INCIDENT: Final = """
insert or ignore into incidents (version, closed_at, incident, id) values (?, ?, ?, ?)
"""
_UPDATE_INCIDENT: Final = """
update incidents set version = ?, closed_at = ?, incident = ? where id = ? and version = ?
"""
_INSERT_DEADLINE: Final = """
insert or ignore into deadlines (version, due, is_open, deadline, task, nominal)
values (?, ?, ?, ?, ?, ?)
"""
_UPDATE_DEADLINE: Final = """
update deadlines set version = ?, due = ?, is_open = ?, deadline = ?
where task = ? and nominal = ? and version = ?
"""


class SqliteIncidentStore:
    """The part of the Store port about incidents. The caller serializes access."""

    def __init__(self, file: SqliteFile) -> None:
        self._db = file.db

    def read_incident(self, incident: str) -> Incident | None:
        row = self._db.execute(
            "select incident from incidents where id = ?", (incident,)
        ).fetchone()
        return decode_incident(row[0]) if row else None

    def write_incident(self, new: Incident, seen: Incident | None) -> Incident | None:
        values = (new.version, new.closed_at, encode_incident(new), new.id)
        if seen is None:
            cursor = self._db.execute(_INSERT_INCIDENT, values)
        else:
            cursor = self._db.execute(_UPDATE_INCIDENT, (*values, seen.version))
        return None if cursor.rowcount == 1 else self.read_incident(new.id)

    def incidents(self) -> list[Incident]:
        rows = self._db.execute("select incident from incidents")
        return [decode_incident(text) for (text,) in rows]

    def mark_cause(self, mark: str, *, on: bool) -> None:
        change = (
            "insert or ignore into marks values (?)" if on else "delete from marks where mark = ?"
        )
        self._db.execute(change, (mark,))

    def read_deadline(self, task: str, nominal: float) -> Deadline | None:
        row = self._db.execute(
            "select deadline from deadlines where task = ? and nominal = ?", (task, nominal)
        ).fetchone()
        return decode_deadline(row[0]) if row else None

    def write_deadline(self, new: Deadline, seen: Deadline | None) -> Deadline | None:
        is_open = int(new.outcome is None)
        values = (new.version, new.due, is_open, encode_deadline(new), new.task, new.nominal)
        if seen is None:
            cursor = self._db.execute(_INSERT_DEADLINE, values)
        else:
            cursor = self._db.execute(_UPDATE_DEADLINE, (*values, seen.version))
        return None if cursor.rowcount == 1 else self.read_deadline(new.task, new.nominal)

    def open_deadlines(self) -> list[Deadline]:
        rows = self._db.execute("select deadline from deadlines where is_open = 1 order by due")
        return [decode_deadline(text) for (text,) in rows]
