"""Printed lines while they are written: `logs -f` and `dyna dev` on the embedded engine."""

from collections import deque
from collections.abc import Iterator

import pytest

from cerebro.embedded import dev_server
from cerebro.embedded.dev_server import HomeFeed, by_time
from cerebro.embedded.embedded_engine import EmbeddedEngine
from cerebro.embedded.storage.event_log import LineAssembler, LogChunk
from cerebro.embedded.storage.home import MemoryHome
from cordyna_cli.engine import Invoked
from cordyna_core import TaskServer
from cordyna_core.contract.base import meta_at
from cordyna_core.contract.commands import InvokeTask
from cordyna_core.contract.envelope import seal
from cordyna_core.contract.time import utc
from cordyna_core.contract.views.runs import LogLine, PassedEvent
from cordyna_core.errors import NotFound

NOON = 1_800_000_000.0
RUN = "0" * 26


@pytest.fixture
def engine() -> Iterator[EmbeddedEngine]:
    server = TaskServer("s")

    @server.task
    def printing(lines: int = 3) -> None:
        for number in range(lines):
            print("line", number)  # noqa: T201  for its log
        print("the end", end="")  # noqa: T201

    server.task(name="silent")(lambda: None)
    with EmbeddedEngine(MemoryHome(), [server]) as engine:
        yield engine


def invoked(engine: EmbeddedEngine, task: str, **params: int) -> str:
    taken = engine.invoke(InvokeTask(task=task, params=params))
    assert isinstance(taken, Invoked)
    return taken.run_id


def a_line(after_s: float) -> LogLine:
    return LogLine.model_construct(
        run_id=RUN, task="x", attempt=1, at=utc(NOON + after_s), stream="stdout", text="row"
    )


def an_event(seq: int, after_s: float) -> PassedEvent:
    message = InvokeTask(task="x", meta=meta_at(NOON + after_s, f"m{seq}"))
    return PassedEvent(seq=seq, text=seal(message, "cordyna.client", f"e{seq}", utc(NOON)))


def test_follow_logs_ends_with_the_run_and_all_its_lines(engine: EmbeddedEngine) -> None:
    run_id = invoked(engine, "printing")

    batches = list(engine.follow_logs(run_id))

    assert [line.text for batch in batches for line in batch] == [
        "line 0",
        "line 1",
        "line 2",
        "the end",
    ]
    assert [] in batches


def test_follow_logs_of_ended_run_marks_the_present(engine: EmbeddedEngine) -> None:
    run_id = invoked(engine, "printing", lines=1)
    list(engine.follow(run_id))

    first, present, *rest = engine.follow_logs(run_id)

    assert ([line.text for line in first], present) == (["line 0"], [])
    assert [line.text for batch in rest for line in batch] == ["the end"]


def test_follow_logs_of_silent_task_has_no_lines(engine: EmbeddedEngine) -> None:
    assert not any(engine.follow_logs(invoked(engine, "silent")))


def test_follow_logs_of_one_task_leaves_out_the_others(engine: EmbeddedEngine) -> None:
    assert not any(engine.follow_logs(invoked(engine, "printing"), "another"))


def test_follow_logs_of_unknown_run_is_not_found(engine: EmbeddedEngine) -> None:
    with pytest.raises(NotFound):
        list(engine.follow_logs(RUN))


def test_dev_yields_printed_lines_among_events(engine: EmbeddedEngine) -> None:
    items = engine.dev()
    next(items)
    run_id = invoked(engine, "printing", lines=1)

    line = next(item for item in items if isinstance(item, LogLine))

    assert (line.run_id, line.task, line.text) == (run_id, "printing", "line 0")


def test_dev_yields_line_that_has_no_newline(engine: EmbeddedEngine) -> None:
    items = engine.dev()
    next(items)
    invoked(engine, "printing", lines=0)

    line = next(item for item in items if isinstance(item, LogLine))

    assert (line.task, line.text) == ("printing", "the end")


def test_line_without_newline_is_yielded_once_others_went_on() -> None:
    assembler = LineAssembler()
    assert list(assembler.feed(LogChunk(RUN, "x", 1, NOON, "stdout", "one\ntw"))) != []
    assert list(assembler.feed(LogChunk(RUN, "y", 1, NOON + 1, "stdout", "thr"))) == []

    assert [line.text for line in assembler.rest_before(NOON + 1)] == ["tw"]

    later = LogChunk(RUN, "y", 1, NOON + 2, "stdout", "ee\n")
    assert [line.text for line in assembler.feed(later)] == ["three"]
    assert list(assembler.rest_before(NOON + 9)) == []
    assert list(assembler.rest(NOON + 9)) == []


def test_items_of_dev_are_in_the_order_of_their_times() -> None:
    events = [an_event(1, 1), PassedEvent(seq=2, text="not an event"), an_event(3, 3)]
    lines = [a_line(0.5), a_line(2), a_line(4)]
    later = deque(lines)

    ordered = list(by_time(deque(events), later))

    assert ordered == [lines[0], events[0], events[1], lines[1], events[2]]
    assert list(later) == [lines[2]]
    assert list(by_time(deque(), later)) == []


def test_feed_that_is_behind_holds_one_page(
    engine: EmbeddedEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dev_server, "LOG_PAGE_ROWS", 3)
    monkeypatch.setattr(dev_server, "EVENT_PAGE_ROWS", 2)
    log, session = engine._home.event_log, engine._session
    feed = HomeFeed(session, log.last_seq())
    for number in range(20):
        at = NOON + number
        log.append_log_chunks([LogChunk(RUN, "x", 1, at, "stdout", f"{number}\n")])
        log.append(RUN, an_event(number, number + 0.5).text, at)
    pages: list[list[PassedEvent | LogLine]] = []
    with session.read_transaction():
        while feed.has_news():
            pages.append(list(feed.next_page()))

    assert max(map(len, pages)) <= 3 + 2
    items = [item for page in pages for item in page]
    assert [item.text for item in items if isinstance(item, LogLine)] == [
        str(number) for number in range(20)
    ]
    assert [isinstance(item, LogLine) for item in items] == [True, False] * 20
