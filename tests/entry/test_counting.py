"""What is counted, derived from what is written."""

from dataclasses import replace

import pytest

from cerebro.adapters.memory import MemoryStore
from cerebro.core.model import Rank, Run, TaskRun, TimelineEntry
from cerebro.lambdas.counting_ports import CountingBus, CountingStore, count_run, count_task
from cerebro.lambdas.metrics import MetricsBuffer
from cordyna_core.contract.base import Problem
from cordyna_core.contract.state_updates import InvocationRejected
from cordyna_core.testing import RecordingBus
from entry.surroundings import BUS, metrics_in

DISPATCHED = TaskRun(
    attempt=1, rank=Rank.PENDING, reason="dispatched", deadline=10.0, cause="c", dispatched_at=0.0
)
RUN = Run(id="r", task="x", plan_id="p", created_at=0.0, cause="c")


@pytest.fixture
def tally() -> MetricsBuffer:
    return MetricsBuffer(BUS)


def counted(
    tally: MetricsBuffer, capsys: pytest.CaptureFixture[str]
) -> list[tuple[str, dict[str, str], float]]:
    tally.flush()
    return metrics_in(capsys.readouterr().out)


def test_a_clock_that_ran_out_is_counted_by_its_reason(
    tally: MetricsBuffer, capsys: pytest.CaptureFixture[str]
) -> None:
    count_task(
        tally, replace(DISPATCHED, rank=Rank.ERROR, reason="ack_timeout", deadline=None), DISPATCHED
    )
    assert counted(tally, capsys) == [
        ("TasksFailed", {}, 1),
        ("ClockExpired", {"reason": "ack_timeout"}, 1),
    ]


def test_an_attempt_that_is_tried_again_has_not_failed(
    tally: MetricsBuffer, capsys: pytest.CaptureFixture[str]
) -> None:
    count_task(
        tally, replace(DISPATCHED, rank=Rank.ERROR, reason="failed", deadline=20.0), DISPATCHED
    )
    assert counted(tally, capsys) == []


def test_a_cancelled_task_has_not_failed(
    tally: MetricsBuffer, capsys: pytest.CaptureFixture[str]
) -> None:
    count_task(
        tally,
        replace(DISPATCHED, rank=Rank.CANCELLED, reason="cancelled", deadline=None),
        DISPATCHED,
    )
    assert counted(tally, capsys) == []


def test_a_server_that_answers_with_the_result_at_once_has_acknowledged(
    tally: MetricsBuffer, capsys: pytest.CaptureFixture[str]
) -> None:
    timeline = (
        TimelineEntry("pending", "dispatched", 0.0, "cordyna.cerebro", 1),
        TimelineEntry("completed", None, 1.5, "cordyna.server.b", 1),
    )
    count_task(
        tally,
        replace(DISPATCHED, rank=Rank.COMPLETED, deadline=None, timeline=timeline),
        DISPATCHED,
    )
    assert counted(tally, capsys) == [
        ("TasksCompleted", {}, 1),
        ("AckLatency", {"server": "b"}, 1500.0),
    ]


def test_a_dispatch_and_a_late_fact_are_no_transitions(
    tally: MetricsBuffer, capsys: pytest.CaptureFixture[str]
) -> None:
    count_task(tally, DISPATCHED, None)
    count_task(tally, replace(DISPATCHED, rev=2), DISPATCHED)
    assert counted(tally, capsys) == []


def test_a_run_is_counted_when_it_begins_and_when_it_ends(
    tally: MetricsBuffer, capsys: pytest.CaptureFixture[str]
) -> None:
    count_run(tally, RUN, None)
    count_run(tally, replace(RUN, failing=True), RUN)
    count_run(tally, replace(RUN, status="error"), RUN)
    count_run(tally, replace(RUN, status="cancelled"), RUN)
    assert counted(tally, capsys) == [("RunsStarted", {}, 1), ("RunsFailed", {}, 1)]


def test_a_write_that_somebody_else_won_is_not_counted(
    tally: MetricsBuffer, capsys: pytest.CaptureFixture[str]
) -> None:
    store = CountingStore(MemoryStore(), tally)
    assert store.write_run(RUN, None) is None
    assert store.write_run(RUN, None) == RUN
    assert store.write_task("r", 0, DISPATCHED, None) is None
    failed = replace(DISPATCHED, rank=Rank.ERROR, reason="failed", deadline=None, rev=2)
    assert store.write_task("r", 0, failed, DISPATCHED) is None
    assert store.write_task("r", 0, failed, DISPATCHED) == failed
    assert store.read_run("r") == RUN
    assert counted(tally, capsys) == [("RunsStarted", {}, 1), ("TasksFailed", {}, 1)]


def test_a_missed_tick_is_counted_and_a_skipped_one_is_not(
    tally: MetricsBuffer, capsys: pytest.CaptureFixture[str]
) -> None:
    bus = RecordingBus()
    rejected = [
        InvocationRejected(event_id="e", task="x", problems=[Problem(code=code, message="")])
        for code in ("missed_tick", "overlap_skipped")
    ]
    CountingBus(bus, tally).publish(rejected)
    assert bus.published == rejected
    assert counted(tally, capsys) == [("TicksMissed", {}, 1)]


def test_metrics_have_no_dimension_but_their_own(
    tally: MetricsBuffer, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("POWERTOOLS_SERVICE_NAME", "cordyna-tracker")
    tally.count("RunsStarted", 3)
    assert counted(tally, capsys) == [("RunsStarted", {}, 3)]


@pytest.mark.parametrize("many", [99, 100, 101, 250])
def test_many_spans_of_time_fill_several_lines(
    tally: MetricsBuffer, capsys: pytest.CaptureFixture[str], many: int
) -> None:
    for _ in range(many):
        tally.span("AckLatency", 2.0, server="a")
    assert sum(value for _, _, value in counted(tally, capsys)) == 2.0 * many


def test_what_was_written_is_not_written_again(
    tally: MetricsBuffer, capsys: pytest.CaptureFixture[str]
) -> None:
    tally.count("RunsStarted")
    assert len(counted(tally, capsys)) == 1
    assert counted(tally, capsys) == []
