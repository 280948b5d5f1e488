"""Facts and runs that the SQLite store keeps in memory: never older than what is stored."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from itertools import count
from pathlib import Path

import pytest

from cerebro.adapters.sqlite.database import SqliteFile
from cerebro.adapters.sqlite.pruning import RUNS_PER_STEP_MAX, Pruner
from cerebro.adapters.sqlite.store import SqliteStore
from cerebro.core.graph.versions import Head
from cerebro.core.model.plan import CachedResult
from cerebro.core.model.run import Run
from cerebro.testing.examples import RUN, a_fact, a_plan
from cordyna_core.contract.incidents import GraphChanged

A_RUN = Run(id=RUN, task="a", plan_id="p", created_at=1.0, cause="c")


@pytest.fixture
def files(tmp_path: Path) -> Iterator[list[SqliteFile]]:
    """Two connections to one database, as two processes have them."""
    files = [SqliteFile(tmp_path / "cordyna.db") for _ in range(2)]
    yield files
    for file in files:
        file.close()


def test_write_of_another_process_is_read(files: list[SqliteFile]) -> None:
    one, other = map(SqliteStore, files)
    fact = a_fact()
    with files[0].transaction():
        one.write_task(RUN, 0, fact, None)
        one.write_run(A_RUN, None)
    newer, run = replace(fact, rev=fact.rev + 1), replace(A_RUN, status="completed", version=2)
    with files[1].transaction():
        assert other.write_task(RUN, 0, newer, fact) is None
        assert other.write_run(run, A_RUN) is None

    with files[0].transaction():
        assert one.read_task(RUN, 0) == newer
        assert one.read_run(RUN) == run


def test_write_of_another_process_is_read_by_a_reader(files: list[SqliteFile]) -> None:
    one, other = map(SqliteStore, files)
    fact = a_fact()
    with files[0].transaction():
        one.write_task(RUN, 0, fact, None)
        one.write_run(A_RUN, None)
    newer, run = replace(fact, rev=fact.rev + 1), replace(A_RUN, status="completed", version=2)
    with files[1].transaction():
        other.write_task(RUN, 0, newer, fact)
        other.write_run(run, A_RUN)

    assert one.read_task(RUN, 0) == newer
    assert one.read_run(RUN) == run


def test_rolled_back_write_is_not_read(files: list[SqliteFile]) -> None:
    store = SqliteStore(files[0])
    with suppress(KeyError), files[0].transaction():
        store.write_task(RUN, 0, a_fact(), None)
        store.write_run(A_RUN, None)
        raise KeyError

    with files[0].transaction():
        assert store.read_task(RUN, 0) is None
        assert store.read_run(RUN) is None


def test_rolled_back_run_has_no_snapshot(files: list[SqliteFile]) -> None:
    store = SqliteStore(files[0])
    with suppress(KeyError), files[0].transaction():
        store.write_plan(a_plan())
        store.write_run(replace(A_RUN, plan_id=a_plan().id), None)
        assert store.read_run_snapshot(RUN) is not None
        raise KeyError

    assert store.read_run_snapshot(RUN) is None


def test_sign_of_life_after_a_rolled_back_one_is_stored(files: list[SqliteFile]) -> None:
    store = SqliteStore(files[0])
    with suppress(KeyError), files[0].transaction():
        store.note_server("s", None, 100.0)
        raise KeyError
    with files[0].transaction():
        store.note_server("s", None, 101.0)

    assert [(seen.server, seen.at) for seen in store.servers()] == [("s", 101.0)]


def test_active_runs_are_those_that_wait_longest_first(files: list[SqliteFile]) -> None:
    """An engine that resumes them begins with the oldest."""
    store = SqliteStore(files[0])
    with files[0].transaction():
        for number in (2, 1, 3):
            store.write_run(replace(A_RUN, id=f"run-{number}", created_at=float(number)), None)
        store.write_run(replace(A_RUN, id="over", status="completed"), None)

    assert store.active_runs() == ["run-1", "run-2", "run-3"]


def test_change_of_another_version_is_kept(files: list[SqliteFile]) -> None:
    """A handler that lost against another one has stored a change of its own."""
    store = SqliteStore(files[0])
    change = GraphChanged(generation=2, server="s", added=["a"])
    with files[0].transaction():
        store.write_graph_change("s", "v1", change)
        store.write_graph_change("s", "v2", change)
        store.write_graph_change("s", "v1", None)

    assert [store.read_graph_change("s", version) for version in ("v1", "v2")] == [None, change]


def test_mark_that_is_taken_back_is_gone_from_the_graph(files: list[SqliteFile]) -> None:
    store = SqliteStore(files[0])
    store.write_head(Head(1, {}), Head())
    watched = []
    for on in (True, False):
        with files[0].transaction():
            store.mark_cause("failed:a", on=on)
        watched.append(store.read_graph().watched)

    assert watched == [{"failed:a"}, set()]


def test_what_ended_first_is_pruned_first(files: list[SqliteFile]) -> None:
    """A step deletes a part; what is left is the newest."""
    store = SqliteStore(files[0])
    ended = replace(A_RUN, status="completed")
    runs = [replace(ended, id=f"run-{number}") for number in range(RUNS_PER_STEP_MAX + 1)]
    files[0].clock = count().__next__
    for run in runs:
        with files[0].transaction():
            store.write_run(run, None)
    assert not Pruner(files[0]).prune_step(1e9).is_done

    assert [run.id for run in store.runs(10)] == [runs[-1].id]


def test_newer_result_is_not_deleted_with_an_older_run(files: list[SqliteFile]) -> None:
    store = SqliteStore(files[0])
    first = CachedResult("run-1", 0, 1.0, "one", None, "f")
    second = replace(first, run_id="run-2", dispatched_at=2.0, output="two")
    with files[0].transaction():
        store.write_cached_result("a", "f", first)
        store.write_cached_result("a", "f", second)
    Pruner(files[0]).prune_run("run-1")

    assert store.read_cached_result("a", "f") == second


def test_pruned_run_is_not_read(files: list[SqliteFile]) -> None:
    store = SqliteStore(files[0])
    with files[0].transaction():
        store.write_task(RUN, 0, a_fact(), None)
        store.write_run(A_RUN, None)
    Pruner(files[0]).prune_run(RUN)

    with files[0].transaction():
        assert store.read_task(RUN, 0) is None
        assert store.read_run(RUN) is None


def test_fact_is_decoded_once_in_transactions(files: list[SqliteFile]) -> None:
    store = SqliteStore(files[0])
    store.write_task(RUN, 0, a_fact(), None)
    statements: list[str] = []
    files[0].db.set_trace_callback(statements.append)

    for _ in range(3):
        with files[0].transaction():
            assert store.read_task(RUN, 0) == a_fact()

    assert sum("from tasks" in statement for statement in statements) <= 1
