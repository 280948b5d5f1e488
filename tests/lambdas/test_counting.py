"""Metrics that are derived from what is written and published."""

from dataclasses import replace

import pytest

from cerebro.adapters.memory import MemoryStore
from cerebro.core.model.plan import PlannedTask
from cerebro.core.model.run import Run
from cerebro.core.model.task_run import Rank, TaskRun, TimelineEntry
from cerebro.core.run.new_facts import apply_update
from cerebro.lambdas.counting_ports import CountingBus, CountingStore, count_run, count_task
from cerebro.lambdas.metrics import MetricsBuffer
from cordyna_core.contract.base import Problem
from cordyna_core.contract.ids import server_source
from cordyna_core.contract.state_updates import InvocationRejected, TaskStateChanged
from cordyna_core.contract.time import utc
from cordyna_core.testing import RecordingBus
from lambdas.fake_runtime import BUS, metrics_in

DISPATCHED = TaskRun(
    attempt=1, rank=Rank.PENDING, reason="dispatched", deadline=10.0, cause="c", dispatched_at=0.0
)
RUN = Run(id="r", task="x", plan_id="p", created_at=0.0, cause="c")


@pytest.fixture
def metrics() -> MetricsBuffer:
    return MetricsBuffer(BUS)


def counted(
    metrics: MetricsBuffer, capsys: pytest.CaptureFixture[str]
) -> list[tuple[str, dict[str, str], float]]:
    metrics.flush()
    return metrics_in(capsys.readouterr().out)


def test_expired_clock_is_counted_by_its_reason(
    metrics: MetricsBuffer, capsys: pytest.CaptureFixture[str]
) -> None:
    count_task(
        metrics,
        replace(DISPATCHED, rank=Rank.ACK_TIMEOUT, reason="ack_timeout", deadline=None),
        DISPATCHED,
    )
    assert counted(metrics, capsys) == [
        ("TasksFailed", {}, 1),
        ("ClockExpired", {"reason": "ack_timeout"}, 1),
    ]


def test_attempt_with_a_retry_left_counts_no_failure(
    metrics: MetricsBuffer, capsys: pytest.CaptureFixture[str]
) -> None:
    count_task(
        metrics, replace(DISPATCHED, rank=Rank.ERROR, reason="failed", deadline=20.0), DISPATCHED
    )
    assert counted(metrics, capsys) == []


def test_cancelled_task_counts_no_failure(
    metrics: MetricsBuffer, capsys: pytest.CaptureFixture[str]
) -> None:
    count_task(
        metrics,
        replace(DISPATCHED, rank=Rank.CANCELLED, reason="cancelled", deadline=None),
        DISPATCHED,
    )
    assert counted(metrics, capsys) == []


def test_completion_without_started_counts_as_acknowledged(
    metrics: MetricsBuffer, capsys: pytest.CaptureFixture[str]
) -> None:
    timeline = (
        TimelineEntry("pending", "dispatched", 0.0, "cordyna.cerebro", 1),
        TimelineEntry("completed", None, 1.5, "cordyna.server.b", 1),
    )
    count_task(
        metrics,
        replace(DISPATCHED, rank=Rank.COMPLETED, deadline=None, timeline=timeline),
        DISPATCHED,
    )
    assert counted(metrics, capsys) == [
        ("TasksCompleted", {}, 1),
        ("AckLatency", {"server": "b"}, 1500.0),
    ]


def test_end_that_names_its_start_counts_the_latency_to_it(
    metrics: MetricsBuffer, capsys: pytest.CaptureFixture[str]
) -> None:
    """A server that holds `started` back shows as soon as it began."""
    ended = TaskStateChanged(
        server="b",
        run_id="R" * 26,
        task="x",
        attempt=1,
        state="completed",
        started_at=utc(0.25),
    )
    new = apply_update(
        PlannedTask(name="x", server="b"),
        DISPATCHED,
        ended,
        by=server_source("b"),
        cause="c",
        sent_at=9.0,
        now=9.0,
    )
    assert new is not None
    count_task(metrics, new, DISPATCHED)
    assert counted(metrics, capsys) == [
        ("TasksCompleted", {}, 1),
        ("AckLatency", {"server": "b"}, 250.0),
    ]


def test_acknowledgement_is_that_of_the_attempt(
    metrics: MetricsBuffer, capsys: pytest.CaptureFixture[str]
) -> None:
    """What its server reported of the attempt before was no answer to this one."""
    server = server_source("b")
    second = replace(DISPATCHED, attempt=2, dispatched_at=60.0)
    timeline = (
        TimelineEntry("started", None, 1.0, server, 1),
        TimelineEntry("error", "failed", 2.0, server, 1),
        TimelineEntry("started", None, 60.5, server, 2),
    )
    count_task(metrics, replace(second, rank=Rank.STARTED, timeline=timeline), second)
    assert counted(metrics, capsys) == [("AckLatency", {"server": "b"}, 500.0)]


def test_dispatch_and_late_fact_count_nothing(
    metrics: MetricsBuffer, capsys: pytest.CaptureFixture[str]
) -> None:
    count_task(metrics, DISPATCHED, None)
    count_task(metrics, replace(DISPATCHED, rev=2), DISPATCHED)
    assert counted(metrics, capsys) == []


def test_run_is_counted_when_it_starts_and_ends(
    metrics: MetricsBuffer, capsys: pytest.CaptureFixture[str]
) -> None:
    count_run(metrics, RUN, None)
    count_run(metrics, replace(RUN, failing=True), RUN)
    count_run(metrics, replace(RUN, status="error"), RUN)
    count_run(metrics, replace(RUN, status="cancelled"), RUN)
    assert counted(metrics, capsys) == [("RunsStarted", {}, 1), ("RunsFailed", {}, 1)]


def test_run_that_changes_after_its_end_is_not_counted_again(
    metrics: MetricsBuffer, capsys: pytest.CaptureFixture[str]
) -> None:
    for status in ("completed", "error"):
        ended = replace(RUN, status=status)
        count_run(metrics, replace(ended, version=2), ended)
    assert counted(metrics, capsys) == []


def test_write_that_lost_the_race_is_not_counted(
    metrics: MetricsBuffer, capsys: pytest.CaptureFixture[str]
) -> None:
    store = CountingStore(MemoryStore(), metrics)
    assert store.write_run(RUN, None) is None
    assert store.write_run(RUN, None) == RUN
    assert store.write_task("r", 0, DISPATCHED, None) is None
    failed = replace(DISPATCHED, rank=Rank.ERROR, reason="failed", deadline=None, rev=2)
    assert store.write_task("r", 0, failed, DISPATCHED) is None
    assert store.write_task("r", 0, failed, DISPATCHED) == failed
    assert store.read_run("r") == RUN
    assert counted(metrics, capsys) == [("RunsStarted", {}, 1), ("TasksFailed", {}, 1)]


def test_missed_tick_is_counted_and_a_skipped_one_not(
    metrics: MetricsBuffer, capsys: pytest.CaptureFixture[str]
) -> None:
    bus = RecordingBus()
    rejected = [
        InvocationRejected(event_id="e", task="x", problems=[Problem(code=code, message="")])
        for code in ("missed_tick", "overlap_skipped")
    ]
    CountingBus(bus, metrics).publish(rejected)
    assert bus.published == rejected
    assert counted(metrics, capsys) == [("TicksMissed", {}, 1)]


def test_metrics_have_only_their_own_dimensions(
    metrics: MetricsBuffer, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("POWERTOOLS_SERVICE_NAME", "cordyna-tracker")
    metrics.count("RunsStarted", 3)
    assert counted(metrics, capsys) == [("RunsStarted", {}, 3)]


@pytest.mark.parametrize("many", [99, 100, 101, 250])
def test_many_durations_fill_several_lines(
    metrics: MetricsBuffer, capsys: pytest.CaptureFixture[str], many: int
) -> None:
    for _ in range(many):
        metrics.record_duration("AckLatency", 2.0, server="a")
    assert sum(value for _, _, value in counted(metrics, capsys)) == 2.0 * many


def test_flush_empties_the_buffer(
    metrics: MetricsBuffer, capsys: pytest.CaptureFixture[str]
) -> None:
    metrics.count("RunsStarted")
    metrics.record_duration("AckLatency", 2.0, server="a")
    assert len(counted(metrics, capsys)) == 2
    assert counted(metrics, capsys) == []
