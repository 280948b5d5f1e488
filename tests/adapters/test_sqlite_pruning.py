"""Pruning of the SQLite store: what is not over stays, however old it is."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from cerebro.adapters.sqlite import pruning
from cerebro.adapters.sqlite.database import SqliteFile
from cerebro.adapters.sqlite.pruning import Pruner
from cerebro.adapters.sqlite.store import SqliteStore
from cerebro.core.incidents.deadline import Deadline
from cerebro.core.model.plan import CachedResult, Plan
from cerebro.testing.examples import a_plan, a_run, invoked
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


def ended(store: SqliteStore, run_id: str) -> None:
    run = invoked(store, a_run(run_id))
    store.write_run(replace(run, status="completed", version=2), run)


def test_pruning_passes_over_runs_that_are_reused(
    file: SqliteFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They ended first, and there are more of them than one step looks at."""
    monkeypatch.setattr(pruning, "RUNS_PER_STEP_MAX", 2)
    store = SqliteStore(file)
    tasks = a_plan().tasks
    with file.transaction():
        for run_id in ("reused-0", "reused-1", "reused-2", "not-reused"):
            ended(store, run_id)
        plan = Plan(
            tuple(
                replace(task, upstream=(), awaits=(), reuses=CachedResult(f"reused-{n}", 0, 1.0))
                for n, task in enumerate(tasks)
            )
        )
        store.write_plan(plan)
        store.write_run(a_run("active", plan_id=plan.id), None)
    steps = [Pruner(file).prune_step(LATER) for _ in range(2)]
    assert sum(step.runs for step in steps) == 1
    assert steps[-1].is_done
    assert {run.id for run in store.runs(9)} == {"reused-0", "reused-1", "reused-2", "active"}


def test_run_is_pruned_with_its_plan(file: SqliteFile) -> None:
    store = SqliteStore(file)
    with file.transaction():
        for run_id in ("first", "second"):
            ended(store, run_id)

    def plans() -> int:
        (count,) = file.db.execute("select count(*) from plans").fetchone()
        return int(count)

    assert Pruner(file).prune_run("first")
    assert plans() == 1
    assert Pruner(file).prune_run("second")
    assert plans() == 0


def test_pruned_run_is_waited_for_by_no_one(file: SqliteFile) -> None:
    store = SqliteStore(file)
    with file.transaction():
        for run_id in ("first", "second"):
            ended(store, run_id)
            file.db.execute("insert into waited_for (run_id) values (?)", (run_id,))
    Pruner(file).prune_run("first")
    assert file.db.execute("select run_id from waited_for").fetchall() == [("second",)]


def test_space_that_cannot_be_given_back_ends_the_steps(tmp_path: Path) -> None:
    """A file that was made without incremental vacuum keeps its free pages."""
    file = SqliteFile(tmp_path / "cordyna.db")
    file.db.execute("create table filled (content blob)")
    file.db.execute("insert into filled values (zeroblob(100000))")
    file.db.execute("drop table filled")
    file.db.execute("pragma auto_vacuum=none")
    file.db.execute("pragma journal_mode=delete")
    file.db.execute("vacuum")
    file.db.execute("create table filled (content blob)")
    file.db.execute("insert into filled values (zeroblob(100000))")
    file.db.execute("drop table filled")
    (free,) = file.db.execute("pragma freelist_count").fetchone()
    assert free > 0
    assert not Pruner(file).give_back_step()
    file.close()
