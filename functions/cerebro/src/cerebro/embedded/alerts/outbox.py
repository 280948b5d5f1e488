"""Alert outbox: alerts that are to be delivered, and those that could not be.

Invariant: an alert leaves the outbox when it was delivered, or when a person purges it. Up to which
event alerts were made is stored with them, so none is made twice.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from cerebro.adapters.sqlite.database import SqliteFile


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """One event for one owner.

    Fields:
        is_waiting: the owner only waits for the cause.
        due: when it is tried next (UTC seconds); None: it is a dead letter.
        reason: why it could not be delivered last.
    """

    number: int
    owner: str
    is_waiting: bool
    event: str
    tries: int = 0
    due: float | None = 0.0
    reason: str = ""


class AlertOutbox(Protocol):
    """Stored in the home, in the transactions of the caller."""

    def cursor(self) -> int | None:
        """Up to which event alerts were made; None: no process has made any."""
        ...

    def set_cursor(self, seq: int) -> None: ...
    def add(self, owner: str, event: str, *, is_waiting: bool) -> None: ...
    def alerts(self) -> list[Alert]:
        """Return all of them, the oldest first."""
        ...

    def write(self, alert: Alert) -> None: ...
    def remove(self, numbers: Sequence[int]) -> None: ...


class MemoryAlertOutbox:
    """Implements AlertOutbox for the life of the process."""

    def __init__(self) -> None:
        self._cursor: int | None = None
        self._alerts: dict[int, Alert] = {}
        self._last_number = 0

    def cursor(self) -> int | None:
        return self._cursor

    def set_cursor(self, seq: int) -> None:
        self._cursor = seq

    def add(self, owner: str, event: str, *, is_waiting: bool) -> None:
        self._last_number += 1
        number = self._last_number
        self._alerts[number] = Alert(number=number, owner=owner, is_waiting=is_waiting, event=event)

    def alerts(self) -> list[Alert]:
        return list(self._alerts.values())

    def write(self, alert: Alert) -> None:
        self._alerts[alert.number] = alert

    def remove(self, numbers: Sequence[int]) -> None:
        for number in numbers:
            self._alerts.pop(number, None)


class SqliteAlertOutbox:
    """Implements AlertOutbox in the file of a home."""

    def __init__(self, file: SqliteFile) -> None:
        self._db = file.db

    def cursor(self) -> int | None:
        row = self._db.execute("select seq from alert_cursor").fetchone()
        return None if row is None else int(row[0])

    def set_cursor(self, seq: int) -> None:
        self._db.execute("insert or replace into alert_cursor values (1, ?)", (seq,))

    def add(self, owner: str, event: str, *, is_waiting: bool) -> None:
        self._db.execute(
            "insert into alerts (owner, is_waiting, event, tries, due, reason)"
            " values (?, ?, ?, 0, 0, '')",
            (owner, int(is_waiting), event),
        )

    def alerts(self) -> list[Alert]:
        rows = self._db.execute(
            "select number, owner, is_waiting, event, tries, due, reason from alerts"
            " order by number"
        )
        return [
            Alert(
                number=number,
                owner=owner,
                is_waiting=bool(is_waiting),
                event=event,
                tries=tries,
                due=due,
                reason=reason,
            )
            for number, owner, is_waiting, event, tries, due, reason in rows
        ]

    def write(self, alert: Alert) -> None:
        self._db.execute(
            "update alerts set tries = ?, due = ?, reason = ? where number = ?",
            (alert.tries, alert.due, alert.reason, alert.number),
        )

    def remove(self, numbers: Sequence[int]) -> None:
        self._db.executemany(
            "delete from alerts where number = ?", [(number,) for number in numbers]
        )


def dead_alerts(outbox: AlertOutbox) -> list[Alert]:
    """Return the alerts that are not tried any more."""
    return [alert for alert in outbox.alerts() if alert.due is None]


def redrive(outbox: AlertOutbox, alerts: Sequence[Alert]) -> None:
    """Try these alerts again from the start."""
    for alert in alerts:
        outbox.write(replace(alert, tries=0, due=0.0))
