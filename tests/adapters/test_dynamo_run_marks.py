"""The marks of runs in DynamoDB: a run that is active is swept, whatever crashed, however late."""

import zlib
from dataclasses import replace
from functools import partial
from itertools import islice

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.deployed import Deployed, deployed, lose
from cerebro.adapters.aws.dynamodb_run_marks import DAY_S, SHARDS, WRITTEN_WITHIN_S
from cerebro.adapters.aws.dynamodb_store import DynamoStore
from cerebro.core.model.run import Run
from cerebro.testing.examples import NOW, RUN, a_run, invoked

__all__ = ["deployed"]

pytestmark = pytest.mark.usefixtures("moto")


BESIDE = next(
    name
    for name in map(str, range(100))
    if zlib.crc32(name.encode()) % SHARDS == zlib.crc32(RUN.encode()) % SHARDS
)
"""A run in the partition of RUN."""


def swept(store: DynamoStore) -> list[str]:
    """The runs that one sweep of all partitions reaches."""
    return [
        run
        for shard in range(SHARDS)
        for run, _ in [*store.active_pages(shard), *store.new_active_pages(shard)]
    ]


def marks(deployed: Deployed) -> list[str]:
    return sorted(sk for pk, sk in deployed.items() if pk.startswith("ACTIVE#"))


def completed(store: DynamoStore, run: Run) -> Run:
    over = replace(run, status="completed", version=run.version + 1)
    assert store.write_run(over, run) is None
    return over


def test_run_that_ends_before_a_sweep_is_never_marked(deployed: Deployed) -> None:
    store = deployed.process()
    completed(store, invoked(store, a_run()))
    assert deployed.written == ["PLAN", "RUNS", "RUN", "RUN"]
    assert (store.active_runs(), swept(store), marks(deployed)) == ([], [], [])


def test_run_that_outlives_a_sweep_is_marked_until_it_is_over(deployed: Deployed) -> None:
    store = deployed.process(now=NOW + 900)
    run = invoked(store, a_run())
    assert (swept(store), marks(deployed)) == ([RUN], [RUN])
    later = deployed.process(now=NOW + 1800)
    assert (swept(later), later.active_runs()) == ([RUN], [RUN])
    completed(store, run)
    assert (later.active_runs(), swept(later), marks(deployed)) == ([], [], [])


def test_sweep_reads_only_what_was_listed_since_the_one_before(deployed: Deployed) -> None:
    store = deployed.process(now=NOW + 3600)
    for number in range(20):
        completed(store, invoked(store, a_run(f"run-{number}", created_at=NOW + number)))
    assert swept(store) == []
    assert "BatchGetItem" not in deployed.calls_of(lambda: swept(deployed.process(now=NOW + 4500)))


def test_partition_that_is_swept_last_keeps_its_runs_active(deployed: Deployed) -> None:
    """1. A sweep of all. 2. A run of each partition. 3. A sweep that reaches one of them only."""
    swept(deployed.process(now=NOW))
    runs = {zlib.crc32(run_id.encode()) % SHARDS: run_id for run_id in map(str, range(100))}
    assert len(runs) == SHARDS
    for run_id in runs.values():
        invoked(deployed.process(), a_run(run_id, created_at=NOW + 10))

    store = deployed.process(now=NOW + 900)
    assert [run for run, _ in store.new_active_pages(2)] == [runs[2]]
    assert sorted(store.active_runs()) == sorted(runs.values())


def test_run_that_is_stored_late_is_found_by_the_next_sweep(deployed: Deployed) -> None:
    """Its planner listed it, and stores it only after a sweep has passed it."""
    created_at = NOW + 900 - WRITTEN_WITHIN_S + 1
    run = a_run(created_at=created_at)
    lose(deployed, RUN, "META", after=lambda: invoked(deployed.process(), run))
    completed(
        deployed.process(), invoked(deployed.process(), a_run(BESIDE, created_at=created_at + 1))
    )
    assert swept(deployed.process(now=NOW + 900)) == []
    assert deployed.process().write_run(run, None) is None
    assert swept(deployed.process(now=NOW + 1800)) == [RUN]


def test_sweep_that_is_cut_short_continues_where_it_was(deployed: Deployed) -> None:
    store = deployed.process(now=NOW + 3600)
    names = [f"run-{number:03}" for number in range(900)]
    of_shard = [name for name in names if zlib.crc32(name.encode()) % SHARDS == 0][:150]
    for number, name in enumerate(of_shard):
        invoked(store, a_run(name, created_at=NOW + number))
    first = [run for run, _ in islice(store.new_active_pages(0), 110)]
    then = [run for run, _ in store.new_active_pages(0)]
    # The batch in which it was cut is read again, with the last one before it.
    assert (first, then) == (of_shard[:110], of_shard[99:])


def test_runs_of_two_months_are_swept(deployed: Deployed) -> None:
    store = deployed.process(now=NOW + 40 * DAY_S)
    invoked(store, a_run("old", created_at=NOW))
    invoked(store, a_run("new", created_at=NOW + 39 * DAY_S))
    assert sorted(swept(store)) == ["new", "old"]


def test_reopened_run_is_marked_before_it_is_stored(deployed: Deployed) -> None:
    store = deployed.process()
    run = invoked(store, a_run())
    over = replace(run, status="error", version=2)
    store.write_run(over, run)
    deployed.written.clear()
    store.write_run(replace(run, rev=1, version=3), over)
    assert deployed.written == ["ACTIVE", "RUN"]
    assert deployed.process(now=NOW + 10 * DAY_S).active_runs() == [RUN]


def test_sweep_that_read_an_earlier_end_keeps_the_mark_of_a_heal(deployed: Deployed) -> None:
    """The heal has marked the run and not stored it yet when the sweep reads it."""
    store = deployed.process()
    run = invoked(store, a_run())
    over = replace(run, status="error", version=2)
    store.write_run(over, run)
    healed = replace(run, rev=1, version=3)
    store.write_run(healed, over)
    # As it was when the mark was written.
    lose(deployed, f"RUN#{RUN}", "META")
    store.write_run(over, None)
    assert (swept(store), marks(deployed)) == ([], [RUN])


def test_heal_that_lost_the_race_leaves_a_mark_for_the_sweep(deployed: Deployed) -> None:
    store = deployed.process()
    run = invoked(store, a_run())
    over = replace(run, status="error", version=2)
    store.write_run(over, run)
    cancelled = replace(over, status="cancelled", version=3)
    store.write_run(cancelled, over)
    assert store.write_run(replace(run, rev=1, version=3), over) == cancelled
    assert (swept(store), marks(deployed)) == ([], [])


def test_late_mark_of_a_sweep_replaces_no_later_one(deployed: Deployed) -> None:
    """1. The sweep reads two runs. 2. The second is healed. 3. The sweep marks what it has read."""
    store = deployed.process(now=NOW + 900)
    invoked(store, a_run(BESIDE))
    run = invoked(store, a_run(created_at=NOW + 1))
    sweep = store.new_active_pages(zlib.crc32(RUN.encode()) % SHARDS)
    assert next(sweep) == (BESIDE, 1)
    over = replace(run, status="error", version=2)
    store.write_run(over, run)
    store.write_run(replace(run, rev=1, version=3), over)
    assert list(sweep) == [(RUN, 1)]
    (mark,) = [item for (_, sk), item in deployed.items().items() if sk == RUN]
    assert float(mark["version"]["N"]) == 3


def test_mark_without_its_run_is_no_active_run(deployed: Deployed) -> None:
    store = deployed.process()
    lose(deployed, RUN, "META", after=lambda: invoked(store, a_run()))
    assert (store.active_runs(), store.runs(10), swept(store)) == ([], [], [])


def test_duplicate_of_a_command_is_swept_by_its_own_mark(deployed: Deployed) -> None:
    store = deployed.process(now=NOW + 900)
    invoked(store, a_run())
    store.write_run(a_run(created_at=NOW + 3), None)
    assert swept(store) == [RUN]


def test_active_pages_are_read_by_partition(deployed: Deployed) -> None:
    one = deployed.process(now=NOW + 900)
    for number in range(120):
        invoked(one, a_run(f"run-{number:03}", created_at=NOW + number))
    completed(one, invoked(one, a_run("run-900")))
    assert len(swept(one)) == 120
    other = deployed.process(now=NOW + 900)
    found = [list(other.active_pages(shard)) for shard in range(SHARDS)]
    assert all(shard == sorted(shard) for shard in found)
    assert sorted(pair for shard in found for pair in shard) == [
        (f"run-{number:03}", 1) for number in range(120)
    ]
    assert [run for run, _ in other.active_pages(0, found[0][3][0])] == [
        run for run, _ in found[0][4:]
    ]


def test_active_pages_of_an_older_mark_are_those_of_its_plan(deployed: Deployed) -> None:
    store = deployed.process()
    invoked(store, a_run())
    swept(store)
    ((key, mark),) = [(k, i) for k, i in deployed.items().items() if k[0].startswith("ACTIVE#")]
    del mark["pages"]
    deployed.dynamodb.put_item(TableName=deployed.table, Item=mark)
    shard = int(key[0].partition("#")[2])
    assert list(deployed.process().active_pages(shard)) == [(RUN, 1)]


@settings(max_examples=40, deadline=None)
@given(st.lists(st.sampled_from(["invoke", "end", "heal", "sweep", "wait"]), max_size=25))
def test_every_run_that_is_not_over_is_active(steps: list[str]) -> None:
    # The list has partitions for each month that is kept: one suffices here.
    process, now = partial(Deployed().process, retention_days=2), NOW
    runs: list[Run] = []
    for step in steps:
        store = process(now=now)
        match step:
            case "invoke":
                runs.append(invoked(store, a_run(f"run-{len(runs)}", created_at=now)))
            case "sweep":
                assert set(swept(store)) == {run.id for run in runs if not run.is_over}
            case "wait":
                now += 400
            case _ if runs and runs[0].is_over == (step == "heal"):
                version = runs[0].version + 1
                over = replace(runs[0], status="error", version=version)
                new = over if step == "end" else replace(over, status="running")
                assert store.write_run(new, runs[0]) is None
                runs[0] = new
        runs = [*runs[1:], *runs[:1]]
        active = {run.id for run in runs if not run.is_over}
        assert set(process(now=now).active_runs()) == active
