"""Changed rows: in any order and repeated they end the same; a broken stream continues."""

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2 as httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from console.consoles import NOW, a_console, an_engine, finished
from console.test_guard import token_in
from cordyna_console.live import (
    READ_EVERY_S,
    RUNS_KEPT,
    SHARE,
    LiveRuns,
    Row,
    RunReading,
    rows_of,
)
from cordyna_console.models import FactsAnswer, NextAction, RunHead, WhyAnswer
from cordyna_console.run_columns import FactRows
from cordyna_console.server import ConsoleServer
from cordyna_core.contract.views.facts import FactColumns
from cordyna_core.errors import NotFound

WORDS: list[tuple[str, str | None]] = [("pending", "dispatched"), ("started", None)]
WORDS += [("completed", None), ("error", "failed")]
WHY = WhyAnswer(sentence="so.", next=NextAction(do="watch", command="dyna watch X"))


def facts(rows: dict[int, int], cursor: str) -> FactsAnswer:
    """Facts of tasks by index, each with the word of that number; everything else follows it."""
    numbers = list(rows.values())
    return FactsAnswer(
        cursor=cursor,
        run_id="X",
        state="running",
        cancelled=False,
        created_at=NOW,
        now=NOW,
        why=WHY,
        words=WORDS,
        columns=FactRows.of(
            FactColumns(
                task=list(rows),
                word=numbers,
                attempt=[1 for _ in rows],
                sent=[index * 10 for index in rows],
                queued=[None for _ in rows],
                started=[number or None for number in numbers],
                ended=[None for _ in rows],
                deadline=[None for _ in rows],
                before=[[] for _ in rows],
            )
        ),
    )


def reading(rows: dict[int, int], cursor: str) -> RunReading:
    """The same with a head."""
    head = RunHead(run_id="X", task="x", state="running", plan_id="P", size=9, why=WHY)
    return RunReading(head, facts(rows, cursor))


class Source:
    """A run whose rows change; it answers whole, as an engine in the cloud does."""

    def __init__(self) -> None:
        self.rows: dict[int, int] = {}
        self.now = 0.0
        self.reads = 0

    def read(self, run_id: str, since: str | None) -> RunReading:
        assert run_id == "X"
        self.reads += 1
        return reading(self.rows, str(self.reads))

    def clock(self) -> float:
        return self.now


Changes = st.lists(st.dictionaries(st.integers(0, 8), st.integers(0, 3)), max_size=8)


@given(changes=Changes, drops=st.lists(st.integers(0, 7)), data=st.data())
def test_rows_in_any_order_with_repetition_end_the_same(
    changes: list[dict[int, int]], drops: list[int], data: st.DataObject
) -> None:
    """A follower that misses answers and asks again with its last cursor has every row."""
    source = Source()
    live = LiveRuns(source.read, source.clock, lambda: 0.0)
    seen: dict[int, Row] = {}
    cursor: str | None = None
    for step, change in enumerate(changes):
        source.rows.update(change)
        source.now += 100
        answer = live.since("X", cursor).answer
        if step in drops:
            continue  # the connection broke before this answer arrived
        for _ in range(data.draw(st.integers(1, 2))):
            seen.update(rows_of(answer))
        cursor = answer.cursor
    source.now += 100
    seen.update(rows_of(live.since("X", cursor).answer))
    assert seen == dict(rows_of(live.since("X", None).answer))
    assert seen == dict(rows_of(facts(source.rows, "")))


def test_only_changed_rows_are_sent() -> None:
    source = Source()
    live = LiveRuns(source.read, source.clock, lambda: 0.0)
    source.rows = {0: 0, 1: 0}
    first = live.since("X", None).answer
    source.rows[1], source.now = 2, 100.0
    second = live.since("X", first.cursor).answer
    assert second.columns.tasks == [1]
    source.now = 200.0
    assert live.since("X", second.cursor).cursor == second.cursor


def test_cursor_of_dropped_rows_is_answered_with_every_row() -> None:
    """Versions begin anew after other runs took its place: an old cursor may look newer."""
    source = Source()
    live = LiveRuns(lambda _, since: source.read("X", since), source.clock, lambda: 0.0)
    cursor: str | None = None
    for attempt in range(5):
        source.rows, source.now = {0: attempt % 2, 1: 0}, 100.0 * attempt
        cursor = live.since("X", cursor).cursor
    for other in range(RUNS_KEPT):
        live.since(f"OTHER{other}", None)
    source.rows = {0: 2, 1: 2}
    assert live.since("X", cursor).answer.columns.tasks == [0, 1]


def test_cursor_from_the_future_is_answered_with_every_row() -> None:
    source = Source()
    source.rows = {0: 0, 1: 0}
    live = LiveRuns(source.read, source.clock, lambda: 0.0)
    epoch = live.since("X", None).cursor.split(".")[0]
    for version in ("2", "9" * 18, "9" * 5_000, "\u0661"):
        assert live.since("X", f"{epoch}.{version}").answer.columns.tasks == [0, 1]


def test_cursor_of_another_process_is_answered_with_every_row() -> None:
    source = Source()
    source.rows = {0: 0, 1: 0}
    cursor = LiveRuns(source.read, source.clock, lambda: 0.0).since("X", None).cursor
    other = Source()
    other.rows = {0: 1, 1: 0}
    for odd in (cursor, "", ".", "x.y", f"{cursor}x", cursor.split(".")[0] + ".-1"):
        answer = LiveRuns(other.read, other.clock, lambda: 0.0).since("X", odd).answer
        assert answer.columns.tasks == [0, 1]


def test_run_is_read_at_most_four_times_a_second() -> None:
    source = Source()
    live = LiveRuns(source.read, source.clock, lambda: 0.0)
    for _ in range(20):
        live.since("X", None)
    assert source.reads == 1
    source.now += READ_EVERY_S
    live.since("X", None)
    assert source.reads == 2


def test_followers_with_the_same_cursor_share_one_answer() -> None:
    source = Source()
    source.rows = {0: 0, 1: 0}
    live = LiveRuns(source.read, source.clock, lambda: 0.0)
    first = live.since("X", None)
    assert live.since("X", None) is first
    source.rows[1], source.now = 2, 100.0
    assert live.since("X", None) is not first
    assert live.since("X", first.cursor) is live.since("X", first.cursor)


def test_head_is_of_the_same_reading_as_the_rows() -> None:
    source = Source()
    live = LiveRuns(source.read, source.clock, lambda: 0.0)
    assert live.head("X").size == 9
    live.since("X", None)
    assert source.reads == 1
    live.expire("X")
    live.expire("unknown")
    live.head("X")
    assert source.reads == 2


def test_run_that_takes_long_to_read_is_read_less_often() -> None:
    source = Source()

    used = 0.0

    def slow(run_id: str, since: str | None) -> RunReading:
        nonlocal used
        used += 0.1
        return source.read(run_id, since)

    live = LiveRuns(slow, source.clock, lambda: used)
    live.since("X", None)
    source.now += 0.1 * SHARE - 0.01
    live.since("X", None)
    assert source.reads == 1
    source.now += 0.02
    live.since("X", None)
    assert source.reads == 2


def test_run_that_is_gone_is_forgotten() -> None:
    def gone(run_id: str, since: str | None) -> RunReading:
        raise NotFound(f"run {run_id} is not known.")

    live = LiveRuns(gone)
    with pytest.raises(NotFound):
        live.since("X", None)
    assert live._runs == {}


def test_runs_that_nobody_follows_are_forgotten() -> None:
    live = LiveRuns(lambda run_id, since: reading({}, "1"))
    for number in range(RUNS_KEPT + 5):
        live.since(str(number), None)
    assert len(live._runs) == RUNS_KEPT


@pytest.mark.parametrize(
    "change",
    [
        {"why": WHY.model_copy(update={"sentence": "otherwise."})},
        {"why": WHY.model_copy(update={"next": NextAction(do="retry", command="dyna retry X")})},
        {"state": "completed"},
        {"cancelled": True},
        {"ended_at": NOW},
    ],
    ids=lambda change: next(iter(change)),
)
def test_change_of_the_run_alone_is_a_change(change: dict[str, Any]) -> None:
    first = reading({}, "1")
    answers = iter([first.facts, first.facts.model_copy(update=change)])
    times = iter(range(0, 10_000, 100))
    live = LiveRuns(
        lambda *_: RunReading(first.head, next(answers)), lambda: float(next(times)), lambda: 0.0
    )
    cursor = live.since("X", None).cursor
    assert live.since("X", cursor).cursor != cursor


def test_run_that_is_looked_at_again_is_kept() -> None:
    read: list[str] = []

    def note(run_id: str, since: str | None) -> RunReading:
        read.append(run_id)
        return reading({}, "1")

    live = LiveRuns(note, lambda: 0.0, lambda: 0.0)
    for number in range(RUNS_KEPT + 5):
        live.since("X", None)
        live.since(str(number), None)
    assert read.count("X") == 1


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[httpx.Client, str]]:
    with an_engine() as engine:
        run = finished(engine, "report")
        server = ConsoleServer(a_console(engine), tmp_path / "console.json", port=None)
        server.start()
        headers = {"Authorization": f"Bearer {token_in(tmp_path)}"}
        address = f"http://127.0.0.1:{server.port}/api/v1"
        with httpx.Client(base_url=address, headers=headers, timeout=10) as client:
            yield client, run.run_id
        server.stop()


def messages(client: httpx.Client, path: str, count: int, **headers: str) -> list[tuple[str, Any]]:
    """The first messages of a stream: id and data."""
    found: list[tuple[str, Any]] = []
    number = ""
    with client.stream("GET", path, headers=headers) as answer:
        assert answer.status_code == 200, answer.read()
        assert answer.headers["content-type"].startswith("text/event-stream")
        for line in answer.iter_lines():
            if line.startswith("id: "):
                number = line.removeprefix("id: ")
            if line.startswith("data: "):
                found.append((number, json.loads(line.removeprefix("data: "))))
            if len(found) == count:
                break
    return found


def test_stream_begins_with_rows_and_continues_by_id(served: tuple[httpx.Client, str]) -> None:
    client, run_id = served
    ((cursor, first),) = messages(client, f"/runs/{run_id}/live", 1)
    assert len(first["columns"]["step"]) == 3
    assert cursor == first["cursor"]
    # An id of another process: everything again.
    ((_, again),) = messages(client, f"/runs/{run_id}/live", 1, **{"Last-Event-ID": "old.3"})
    assert again["columns"] == first["columns"]


def test_stream_of_the_list_sends_the_first_page(served: tuple[httpx.Client, str]) -> None:
    client, run_id = served
    ((_, page),) = messages(client, "/runs/live?state=error", 1)
    assert [row["run_id"] for row in page["rows"]] == [run_id]


def test_stream_of_the_bus_continues_after_a_number(served: tuple[httpx.Client, str]) -> None:
    client, _ = served
    ((_, newest),) = messages(client, "/events/live", 1)
    ((number, page),) = messages(client, "/events/live?after=0", 1)
    assert newest["rows"][-1]["seq"] == page["rows"][-1]["seq"]
    assert str(page["rows"][-1]["seq"]) == number
    middle = page["rows"][2]["seq"]
    ((_, rest),) = messages(client, "/events/live", 1, **{"Last-Event-ID": str(middle)})
    assert rest["rows"][0]["seq"] == middle + 1


@pytest.mark.parametrize("odd", ["bad", "-5", "9" * 5_000, "1.5", str(2**63)])
def test_odd_place_among_events_is_answered_with_the_newest(
    served: tuple[httpx.Client, str], odd: str
) -> None:
    client, _ = served
    ((number, _),) = messages(client, "/events/live", 1)
    ((again, page),) = messages(client, "/events/live", 1, **{"Last-Event-ID": odd})
    assert int(again) >= int(number)
    assert page["rows"]


def test_many_streams_end_when_the_console_stops(tmp_path: Path) -> None:
    with an_engine() as engine:
        run = finished(engine, "orders")
        server = ConsoleServer(a_console(engine), tmp_path / "console.json", port=None)
        server.start()
        headers = {"Authorization": f"Bearer {token_in(tmp_path)}"}
        ended: list[bool] = []
        begun = [threading.Event() for _ in range(4)]

        def follow(mine: threading.Event) -> None:
            address = f"http://127.0.0.1:{server.port}/api/v1/runs/{run.run_id}/live"
            with httpx.Client(headers=headers) as client, client.stream("GET", address) as answer:
                try:
                    for line in answer.iter_lines():
                        if line.startswith("data: "):
                            mine.set()
                except httpx.HTTPError:
                    pass
            ended.append(True)

        threads = [threading.Thread(target=follow, args=(event,)) for event in begun]
        for thread in threads:
            thread.start()
        assert all(event.wait(10) for event in begun)
        server.stop()
        for thread in threads:
            thread.join(10)
        assert ended == [True] * 4
