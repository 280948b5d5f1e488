"""When a run of a home ended: retention counts from it, however long the run took."""

from dataclasses import replace
from pathlib import Path

from cerebro.adapters.sqlite.database import SqliteFile
from cerebro.adapters.sqlite.pruning import Pruner
from cerebro.adapters.sqlite.store import SqliteStore
from cerebro.core.model import Run, RunStatus
from cerebro.testing.examples import RUN

DAY_S = 86_400.0


def a_file(path: Path) -> tuple[SqliteFile, list[float]]:
    """A database, and its clock."""
    now = [0.0]
    return SqliteFile(path / "cordyna.db", lambda: now[0]), now


def written(store: SqliteStore, run: Run, status: RunStatus) -> Run:
    new = replace(run, status=status, version=run.version + 1)
    assert store.write_run(new, run) is None
    return new


def test_run_ended_when_its_end_was_written(tmp_path: Path) -> None:
    file, now = a_file(tmp_path)
    store = SqliteStore(file)
    with file.transaction():
        run = Run(id=RUN, task="a", plan_id="p", created_at=0.0, cause="c")
        store.write_run(run, None)
    now[0] = 40 * DAY_S
    with file.transaction():
        written(store, run, "completed")

    assert Pruner(file).prune_step(40 * DAY_S).runs == 0
    assert Pruner(file).prune_step(40 * DAY_S + 1).runs == 1
    file.close()


def test_run_that_was_reopened_has_not_ended(tmp_path: Path) -> None:
    file, now = a_file(tmp_path)
    store = SqliteStore(file)
    with file.transaction():
        run = Run(id=RUN, task="a", plan_id="p", created_at=0.0, cause="c")
        store.write_run(run, None)
        run = written(store, run, "error")
    with file.transaction():
        run = written(store, run, "running")
    assert Pruner(file).prune_step(90 * DAY_S).runs == 0

    now[0] = 90 * DAY_S
    with file.transaction():
        written(store, run, "error")
    assert Pruner(file).prune_step(60 * DAY_S).runs == 0
    assert Pruner(file).prune_step(100 * DAY_S).runs == 1
    file.close()


def test_runs_are_pruned_in_the_order_of_their_ends(tmp_path: Path) -> None:
    file, now = a_file(tmp_path)
    store = SqliteStore(file)
    first = Run(id="1" * 26, task="a", plan_id="p", created_at=0.0, cause="c")
    second = replace(first, id="2" * 26, created_at=1.0)
    with file.transaction():
        for run in (first, second):
            store.write_run(run, None)
        written(store, second, "completed")
    now[0] = 10 * DAY_S
    with file.transaction():
        written(store, first, "completed")

    Pruner(file).prune_step(5 * DAY_S)
    assert [run.id for run in store.runs(2)] == [first.id]
    file.close()
