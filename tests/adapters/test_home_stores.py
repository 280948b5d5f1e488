"""What a home needs of its store: whether a run is live, when it ended, and to delete it whole."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from cerebro.adapters.memory import MemoryStore
from cerebro.adapters.sqlite.database import SqliteFile
from cerebro.adapters.sqlite.pruning import Pruner
from cerebro.adapters.sqlite.store import SqliteStore
from cerebro.core.model.plan import CachedResult
from cerebro.core.model.run import Run, RunStatus
from cerebro.core.model.task_run import Rank
from cerebro.testing.examples import RUN, a_fact

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


@pytest.fixture(params=["memory", "sqlite"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[MemoryStore | SqliteStore]:
    if request.param == "memory":
        yield MemoryStore()
        return
    file, _ = a_file(tmp_path)
    yield SqliteStore(file)
    file.close()


def test_run_is_live_while_a_deadline_is_open(store: MemoryStore | SqliteStore) -> None:
    """1. It is dispatched. 2. It waits for its retry. 3. It has failed. 4. It is healed."""
    facts = [
        a_fact(rank=Rank.PENDING, deadline=10.0, rev=1),
        a_fact(rank=Rank.ERROR, deadline=20.0, rev=2),
        a_fact(rank=Rank.ERROR, deadline=None, rev=3),
        a_fact(rank=Rank.COMPLETED, deadline=None, rev=4),
    ]
    assert not store.has_live_task(RUN)
    was_live, seen = [], None
    for fact in facts:
        assert store.write_task(RUN, 0, fact, seen) is None
        was_live.append(store.has_live_task(RUN))
        seen = fact
    assert was_live == [True, True, False, False]
    assert not store.has_live_task("0" * 26)


def test_deleted_run_leaves_no_result(tmp_path: Path) -> None:
    """A result that is small is stored with its place: it would be reused without its run."""
    file, _ = a_file(tmp_path)
    store = SqliteStore(file)
    with file.transaction():
        store.write_run(Run(id=RUN, task="a", plan_id="p", created_at=0.0, cause="c"), None)
        store.write_cached_result("a", "f", CachedResult(RUN, 0, 1.0, "small", None, "f"))

    assert Pruner(file).prune_run(RUN)
    assert store.read_cached_result("a", "f") is None
    assert not Pruner(file).prune_run(RUN)
    file.close()


def test_what_is_of_later_times_is_forgotten(tmp_path: Path) -> None:
    file, _ = a_file(tmp_path)
    for store in (MemoryStore(), SqliteStore(file)):
        with file.transaction():
            for name, at in (("early", 500.0), ("late", 700.0)):
                store.write_tick(name, at)
                store.write_cached_result(name, "f", CachedResult(RUN, 0, at, None))
                store.note_server(name, "ready", at)
            store.note_server("both", None, 500.0)
            store.note_missed_ack("both", 700.0)
            store.forget_after(600.0)
            store.note_server("late", None, 650.0)
        assert [store.read_tick(name) for name in ("early", "late")] == [500.0, None]
        assert store.read_cached_result("early", "f") is not None
        assert store.read_cached_result("late", "f") is None
        seen = {server.server: (server.at, server.missed_at) for server in store.servers()}
        assert seen == {"early": (500.0, None), "late": (650.0, None), "both": (500.0, None)}
    file.close()


def test_run_is_retained_from_its_end_if_the_clock_was_behind(tmp_path: Path) -> None:
    file, now = a_file(tmp_path)
    store = SqliteStore(file)
    now[0] = 40 * DAY_S
    with file.transaction():
        run = Run(id=RUN, task="a", plan_id="p", created_at=0.0, cause="c")
        store.write_run(run, None)
        written(store, run, "completed")
        store.forget_after(10 * DAY_S)
    assert Pruner(file).prune_step(40 * DAY_S).runs == 0
    assert Pruner(file).prune_step(40 * DAY_S + 1).runs == 1
    file.close()


def test_runs_of_one_moment_are_listed_last_stored_first(tmp_path: Path) -> None:
    file, _ = a_file(tmp_path)
    ids = ["b", "c", "a"]
    for store in (MemoryStore(), SqliteStore(file)):
        with file.transaction():
            for run_id in ids:
                run = Run(id=run_id, task="a", plan_id="p", created_at=5.0, cause="c")
                store.write_run(run, None)
        assert [run.id for run in store.runs(2)] == ["a", "c"]
    file.close()
