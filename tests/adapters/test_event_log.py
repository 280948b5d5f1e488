"""The event log of a home: the same in memory and on disk."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from cerebro.embedded.storage.event_log import EventLog, LogChunk
from cerebro.embedded.storage.home import DiskHome, Home, MemoryHome

ONE, OTHER = "1" * 26, "2" * 26


@pytest.fixture(params=["memory", "disk"])
def home(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Home]:
    home = MemoryHome() if request.param == "memory" else DiskHome(tmp_path)
    with home.transaction():
        yield home
    home.close()


@pytest.fixture
def log(home: Home) -> EventLog:
    return home.event_log


def test_events_have_numbers_in_the_order_in_which_they_passed(log: EventLog) -> None:
    for run_id, event in ((ONE, "a"), (None, "b"), (OTHER, "c"), (ONE, "d")):
        log.append(run_id, event, 0.0)
    numbers = [event.seq for event in log.events(None, 0)]

    assert [event.text for event in log.events(None, 0)] == ["a", "b", "c", "d"]
    assert numbers == sorted(set(numbers))
    assert log.last_seq() == numbers[-1]
    assert [event.text for event in log.events(None, numbers[1])] == ["c", "d"]
    assert [event.text for event in log.events(None, 0, 2)] == ["a", "b"]
    assert [event.text for event in log.events(ONE, numbers[0])] == ["d"]
    assert log.texts_of(ONE, 0) == ["a", "d"]
    assert log.texts_of(ONE, numbers[0]) == ["d"]


def test_chunks_are_found_by_run_task_and_number(log: EventLog) -> None:
    chunks = [
        LogChunk(run_id, task, 1, float(at), "stdout", f"{run_id[0]} {task} {at}\n")
        for at, (run_id, task) in enumerate([(ONE, "x"), (ONE, "y"), (OTHER, "x"), (ONE, "x")])
    ]
    log.append_log_chunks(chunks)
    stored = log.log_chunks(None, None, 0, 9)

    def found(run_id: str | None, task: str | None, after: int = 0, limit: int = 9) -> list[int]:
        return [stored.index(one) for one in log.log_chunks(run_id, task, after, limit)]

    assert [one.chunk for one in stored] == chunks
    assert log.last_log_seq() == stored[-1].seq
    assert found(ONE, None) == [0, 1, 3]
    assert found(ONE, "x") == [0, 3]
    assert found(None, "x") == [0, 2, 3]
    assert found(OTHER, "y") == []
    assert found(ONE, None, after=stored[0].seq) == [1, 3]
    assert found(None, None, after=stored[2].seq) == [3]
    assert found(ONE, None, limit=2) == [0, 1]


def test_inbox_is_left_in_the_order_of_arrival(log: EventLog) -> None:
    assert not log.has_inbox()
    log.put_inbox(["a", "b"])
    log.put_inbox(["c"])

    assert log.withdraw("b")
    assert not log.withdraw("b")
    assert log.drain_inbox(1) == ["a"]
    assert log.has_inbox()
    assert log.drain_inbox(9) == ["c"]
    assert not log.has_inbox()


def test_waiters_are_listed_once_oldest_first(log: EventLog) -> None:
    for run_id in (OTHER, ONE, OTHER):
        log.add_waiter(run_id)
    assert log.awaited_runs() == [OTHER, ONE]

    log.remove_waiter(OTHER)
    assert log.awaited_runs() == [ONE]


def test_dead_letter_is_kept_once_with_its_last_reason(log: EventLog) -> None:
    for event, reason in (("a", "first"), ("b", "other"), ("a", "second")):
        log.add_dead_letter(event, reason, 0.0)
    assert log.dead_letters() == [("a", "second"), ("b", "other")]

    assert log.drain_dead_letters(["b", "unknown"]) == ["b"]
    assert log.dead_letters() == [("a", "second")]
    assert log.drain_dead_letters() == ["a"]
    assert log.dead_letters() == []
