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
from cerebro.adapters.readable_items import readable
from cerebro.adapters.sqlite.database import SqliteFile, decoding
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
        self._file, self._db = file, file.db

    def read_incident(self, incident: str) -> Incident | None:
        row = self._db.execute(
            "select incident from incidents where id = ?", (incident,)
        ).fetchone()
        return self._incident(incident, row[0]) if row else None

    def _incident(self, incident: str, text: str) -> Incident:
        with decoding(self._file.path, "incidents", incident):
            return decode_incident(text)

    def write_incident(self, new: Incident, seen: Incident | None) -> Incident | None:
        values = (new.version, new.closed_at, encode_incident(new), new.id)
        if seen is None:
            cursor = self._db.execute(_INSERT_INCIDENT, values)
        else:
            cursor = self._db.execute(_UPDATE_INCIDENT, (*values, seen.version))
        return None if cursor.rowcount == 1 else self.read_incident(new.id)

    def incidents(self) -> list[Incident]:
        rows = self._db.execute("select id, incident from incidents")
        return list(readable(rows, lambda row: self._incident(*row)))

    def mark_cause(self, mark: str, *, on: bool) -> None:
        change = (
            "insert or ignore into marks values (?)" if on else "delete from marks where mark = ?"
        )
        self._db.execute(change, (mark,))

    def read_deadline(self, task: str, nominal: float) -> Deadline | None:
        row = self._db.execute(
            "select deadline from deadlines where task = ? and nominal = ?", (task, nominal)
        ).fetchone()
        return self._deadline(task, nominal, row[0]) if row else None

    def _deadline(self, task: str, nominal: float, text: str) -> Deadline:
        with decoding(self._file.path, "deadlines", f"({task}, {nominal})"):
            return decode_deadline(text)

    def write_deadline(self, new: Deadline, seen: Deadline | None) -> Deadline | None:
        is_open = int(new.outcome is None)
        values = (new.version, new.due, is_open, encode_deadline(new), new.task, new.nominal)
        if seen is None:
            cursor = self._db.execute(_INSERT_DEADLINE, values)
        else:
            cursor = self._db.execute(_UPDATE_DEADLINE, (*values, seen.version))
        return None if cursor.rowcount == 1 else self.read_deadline(new.task, new.nominal)

    def open_deadlines(self) -> list[Deadline]:
        rows = self._db.execute(
            "select task, nominal, deadline from deadlines where is_open = 1 order by due"
        )
        return list(readable(rows, lambda row: self._deadline(*row)))
