"""Pruning of the SQLite store: what is not over stays, however old it is."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from cerebro.adapters.sqlite.database import SqliteFile
from cerebro.adapters.sqlite.pruning import Pruner
from cerebro.adapters.sqlite.store import SqliteStore
from cerebro.core.incidents.deadline import Deadline
from cerebro.testing.incident_contract import INCIDENT

LATER = 1e12


@pytest.fixture
def file(tmp_path: Path) -> Iterator[SqliteFile]:
    file = SqliteFile(tmp_path / "cordyna.db")
    yield file
    file.close()


def test_open_incident_stays_until_it_is_closed(file: SqliteFile) -> None:
    store, closed = SqliteStore(file), replace(INCIDENT, closed_at=2.0, version=2)
    with file.transaction():
        store.write_incident(INCIDENT, None)
    Pruner(file).prune_step(LATER)
    assert store.incidents() == [INCIDENT]

    with file.transaction():
        store.write_incident(closed, INCIDENT)
    Pruner(file).prune_step(LATER)
    assert store.incidents() == []


def test_open_deadline_stays_until_it_is_decided(file: SqliteFile) -> None:
    store, deadline = SqliteStore(file), Deadline(task="a", nominal=1.0, due=2.0)
    decided = replace(deadline, outcome="missed", version=2)
    with file.transaction():
        store.write_deadline(deadline, None)
    Pruner(file).prune_step(LATER)
    assert store.open_deadlines() == [deadline]

    with file.transaction():
        store.write_deadline(decided, deadline)
    Pruner(file).prune_step(LATER)
    assert store.read_deadline("a", 1.0) is None
