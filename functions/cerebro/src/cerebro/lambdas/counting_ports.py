"""Counting ports: derive metrics from what is written and published.

So the core needs no metrics.

Invariant: a transition is counted by the process that wrote it. The store lets one writer win, so a
message that is delivered twice is counted once. What is only published (a missed tick) may be
counted twice.
"""

import logging
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final, cast

from cerebro.core.internal_messages import OverdueCheck
from cerebro.core.model.run import Run
from cerebro.core.model.task_run import Rank, TaskRun, TimelineEntry
from cerebro.core.run.transitions import EXPIRY_REASON
from cerebro.lambdas.metrics import MetricsBuffer
from cerebro.ports import CerebroBus, Store
from cerebro.shell import Ports
from cordyna_core.contract.base import Message
from cordyna_core.contract.ids import SERVER_PREFIX, server_of
from cordyna_core.contract.state_updates import InvocationRejected

STUCK_AFTER_S: Final = 60.0
"""A clock that expired this long before any timer of its page was due had no timer."""

_log = logging.getLogger(__name__)

_METRIC_OF_STATUS: Final = {"completed": "RunsCompleted", "error": "RunsFailed"}


def with_counting(ports: Ports, metrics: MetricsBuffer) -> Ports:
    """Return the same ports; what passes them is counted in `metrics`."""
    return replace(
        ports,
        store=cast(Store, CountingStore(ports.store, metrics)),
        bus=CountingBus(ports.bus, metrics),
    )


class CountingStore:
    """A store that counts transitions of runs and task runs."""

    def __init__(self, store: Store, metrics: MetricsBuffer) -> None:
        self._store, self._metrics = store, metrics

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def write_run(self, new: Run, seen: Run | None) -> Run | None:
        conflicting = self._store.write_run(new, seen)
        if conflicting is None:
            count_run(self._metrics, new, seen)
        return conflicting

    def write_task(
        self, run_id: str, index: int, new: TaskRun, seen: TaskRun | None
    ) -> TaskRun | None:
        conflicting = self._store.write_task(run_id, index, new, seen)
        if conflicting is None:
            count_task(self._metrics, new, seen)
            if (late_s := unguarded_s(new, seen)) > STUCK_AFTER_S:
                self._metrics.count("StuckRuns")
                _log.error("no timer woke run %s, task %d, for %d s", run_id, index, late_s)
        return conflicting


class CountingBus:
    """A bus that counts missed ticks."""

    def __init__(self, bus: CerebroBus, metrics: MetricsBuffer) -> None:
        self._bus, self._metrics = bus, metrics

    def publish(self, messages: Sequence[Message]) -> None:
        self._bus.publish(messages)
        for message in messages:
            if isinstance(message, InvocationRejected) and any(
                problem.code == "missed_tick" for problem in message.problems
            ):
                self._metrics.count("TicksMissed")


def count_run(metrics: MetricsBuffer, new: Run, seen: Run | None) -> None:
    """Count the start or the end of a run.

    A run that ends again, after a heal or a retry, counts again.
    """
    if seen is None:
        metrics.count("RunsStarted")
    elif new.status != seen.status and new.status in _METRIC_OF_STATUS:
        metrics.count(_METRIC_OF_STATUS[new.status])


def count_task(metrics: MetricsBuffer, new: TaskRun, seen: TaskRun | None) -> None:
    """Count an acknowledgement, a completion, a permanent failure or an expired clock.

    Joins are internal to cerebro and are not counted.
    """
    if seen is None or (new.attempt, new.rank) <= (seen.attempt, seen.rank):
        return
    if seen.rank == Rank.PENDING and (first := _first_update_of_server(new)) is not None:
        metrics.record_duration(
            "AckLatency",
            (first.at - new.dispatched_at) * 1000,
            server=first.by.removeprefix(SERVER_PREFIX),
        )
    if new.is_completed:
        metrics.count("TasksCompleted")
    elif new.failed_permanently and new.rank != Rank.CANCELLED:
        metrics.count("TasksFailed")
    if new.rank in EXPIRY_REASON:
        metrics.count("ClockExpired", reason=str(new.reason))


def unguarded_s(new: TaskRun, seen: TaskRun | None) -> float:
    """By how much the timer that found an expired clock was due later than the clock.

    Nothing, unless the timer of the clock was lost and the sweep replaced it. It is known when the
    expiry is written, so it costs no read of a healthy run. A timer or a check that waits in its
    queue makes no difference.
    """
    due = OverdueCheck.due_in(new.cause)
    if due is None or seen is None or seen.deadline is None or new.rank not in EXPIRY_REASON:
        return 0.0
    return due - seen.deadline


def _first_update_of_server(task: TaskRun) -> TimelineEntry | None:
    return next(
        (
            entry
            for entry in task.timeline
            if entry.attempt == task.attempt and server_of(entry.by) is not None
        ),
        None,
    )
