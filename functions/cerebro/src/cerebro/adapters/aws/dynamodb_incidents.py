"""Incidents in DynamoDB: incidents, deadlines, and the marks of open incidents in the graph's head.

Invariant: an open incident never expires; a closed one, and a deadline, expire as runs do. The
marks are an attribute of the head, so who reads the graph reads them at no cost.
"""

import json
from collections.abc import Callable, Iterator
from typing import Final, TypeVar

from cerebro.adapters.aws.dynamodb_graph import HEAD
from cerebro.adapters.aws.dynamodb_table import Item, Key, Table
from cerebro.adapters.decoded_types import require_types
from cerebro.adapters.incident_codec import (
    decode_deadline,
    decode_incident,
    encode_deadline,
    encode_incident,
)
from cerebro.adapters.readable_items import readable
from cerebro.core.incidents.deadline import Deadline
from cerebro.core.incidents.incident import Incident
from cordyna_core.ports import Clock

T = TypeVar("T")

INCIDENTS: Final = "INCIDENTS"
DEADLINES: Final = "DEADLINES"

MARKS_MAX: Final = 1000
"""Open incidents that the head lists. It is read by every invocation, and may have 400 KB.

A further one is found closed by its timer only.
"""

DAY_S: Final = 86_400.0


class IncidentItems:
    """The incident part of the Store port."""

    def __init__(self, table: Table, clock: Clock, retention_days: float) -> None:
        self._table, self._clock = table, clock
        self._retention_s = retention_days * DAY_S

    def read_incident(self, incident: str) -> Incident | None:
        item = self._table.get((INCIDENTS, incident))
        return self._table.decoded(item, self._valid_incident) if item else None

    def _valid_incident(self, item: Item) -> Incident | None:
        return None if self._is_expired(item) else _incident(item)

    def write_incident(self, new: Incident, seen: Incident | None) -> Incident | None:
        item: Item = {
            "pk": INCIDENTS,
            "sk": new.id,
            "incident": encode_incident(new),
            "version": new.version,
        }
        if new.closed_at is not None:
            item["expires_at"] = int(new.closed_at + self._retention_s)
        conflicting = self._put(item, seen.version if seen is not None else None)
        return None if conflicting is None else self._table.decoded(conflicting, _incident)

    def incidents(self) -> list[Incident]:
        return list(self._valid(INCIDENTS, _incident))

    def mark_cause(self, mark: str, *, on: bool) -> None:
        seen = self._table.get(HEAD)
        while True:
            before, marks = self._table.decoded(seen, _marks) if seen is not None else ("[]", [])
            if (mark in marks) == on or (on and len(marks) >= MARKS_MAX):
                return
            after = json.dumps(
                [*marks, mark] if on else [other for other in marks if other != mark]
            )
            if before == "[]":
                only_if = "attribute_not_exists(#watched) or #watched = :before"
            else:
                only_if = "#watched = :before"
            seen = self._table.update(
                HEAD, "set #watched = :after", only_if, before=before, after=after
            )
            if seen is None:
                return

    def read_deadline(self, task: str, nominal: float) -> Deadline | None:
        item = self._table.get(_deadline_key(task, nominal))
        return None if item is None else self._table.decoded(item, _deadline)

    def write_deadline(self, new: Deadline, seen: Deadline | None) -> Deadline | None:
        pk, sk = _deadline_key(new.task, new.nominal)
        item: Item = {
            "pk": pk,
            "sk": sk,
            "deadline": encode_deadline(new),
            "version": new.version,
            "expires_at": int(new.due + self._retention_s),
        }
        conflicting = self._put(item, seen.version if seen is not None else None)
        return None if conflicting is None else self._table.decoded(conflicting, _deadline)

    def open_deadlines(self) -> list[Deadline]:
        stored = self._valid(DEADLINES, _deadline)
        return [deadline for deadline in stored if deadline.outcome is None]

    def _put(self, item: Item, seen: int | None) -> Item | None:
        if seen is None:
            # An expired item may still be stored for two days.
            return self._table.put(
                item, "attribute_not_exists(#pk) or #expires_at <= :now", now=self._clock()
            )
        return self._table.put(item, "#version = :seen", seen=seen)

    def _valid(self, partition: str, decode: Callable[[Item], T]) -> Iterator[T]:
        def decoded(item: Item) -> T | None:
            return None if self._is_expired(item) else decode(item)

        items = self._table.query(partition)
        stored = readable(items, lambda item: self._table.decoded(item, decoded))
        return (value for value in stored if value is not None)

    def _is_expired(self, item: Item) -> bool:
        return "expires_at" in item and float(item["expires_at"]) <= self._clock()


def _incident(item: Item) -> Incident:
    return require_types(decode_incident(str(item["incident"])))


def _marks(head: Item) -> tuple[str, list[str]]:
    """Return the marks of a head as they are stored, and as a list."""
    text = str(head.get("watched", "[]"))
    return text, [str(mark) for mark in json.loads(text)]


def _deadline(item: Item) -> Deadline:
    return require_types(decode_deadline(str(item["deadline"])))


def _deadline_key(task: str, nominal: float) -> Key:
    return DEADLINES, f"{task}#{nominal:017.3f}"
