"""SqliteStore over damaged rows: the error names the table, the row, and what to do."""

import json
import sqlite3
import zlib
from contextlib import closing
from pathlib import Path

import pytest

from adapters.filled_store import READS, fill
from cerebro.adapters.sqlite.database import SqliteFile
from cerebro.adapters.sqlite.store import SqliteStore
from cerebro.testing.examples import RUN
from cordyna_core.errors import ServiceError

DECODED = {
    "head": "servers",
    "declarations": "declared",
    "graph_changes": "change",
    "lasts": "last",
    "incidents": "incident",
    "deadlines": "deadline",
    "plans": "plan",
    "runs": "run",
    "tasks": "fact",
    "outputs": "output",
}
"""The column of each table that is decoded."""

BAD_VALUES: tuple[str | bytes, ...] = (
    "",
    "junk",
    "null",
    "[]",
    "7",
    '["2",1,99]',
    '{"format":2}',
    "[" * 5_000,
    b"\xff",
    zlib.compress(b"[" * 5_000),
    zlib.compress(json.dumps({"format": 2, "fields": [], "tasks": [[1]]}).encode()),
)
VALID: dict[str, set[str]] = {"outputs": {"null", "[]", "7", '["2",1,99]', '{"format":2}'}}
"""Bad values that are an output of a body."""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "cordyna.db"
    with closing(SqliteFile(path)) as file, file.transaction():
        fill(SqliteStore(file))
    return path


def errors_of(path: Path) -> list[ServiceError]:
    errors = []
    with closing(SqliteFile(path)) as file:
        for read in READS.values():
            store = SqliteStore(file)
            try:
                read(store)
            except ServiceError as error:
                errors.append(error)
    return errors


def test_undamaged_file_has_no_error(path: Path) -> None:
    assert errors_of(path) == []


@pytest.mark.parametrize("table", DECODED)
def test_damaged_row_is_named(table: str, path: Path) -> None:
    column = DECODED[table]
    for value in BAD_VALUES:
        with closing(sqlite3.connect(path)) as db, db:
            db.execute(f"update {table} set {column} = ?", (value,))
        errors = errors_of(path)
        assert errors or value in VALID.get(table, ()), value
        for error in errors:
            # A head that can be decoded may name a declaration that does not exist.
            tables = [table, "declarations"] if table == "head" else [table]
            damages = [f"of table {name} in {path} is damaged" for name in tables]
            assert "format" in error.what or any(text in error.what for text in damages)
            assert error.next
            if table in ("runs", "tasks", "plans", "outputs") and "damaged" in error.what:
                assert error.next == f"dyna prune --run {RUN}"
