"""Counting: derives what is counted from what is written and said, so that nothing inside knows of metrics.

Law: a transition is counted by whoever writes it. The store lets one writer win, so a message that is delivered twice is
counted once; what is only published (a missed tick) may be counted twice.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final, cast

from cerebro.core.model import Rank, Run, TaskRun, TimelineEntry
from cerebro.core.run.transitions import EXPIRY_REASON
from cerebro.lambdas.metrics import MetricsBuffer
from cerebro.ports import CerebroBus, Store
from cerebro.shell import Ports
from cordyna_core.contract.base import Message
from cordyna_core.contract.ids import SERVER_PREFIX, server_of
from cordyna_core.contract.state_updates import InvocationRejected

_CLOCKS: Final = frozenset(EXPIRY_REASON.values())
_ENDED: Final = {"completed": "RunsCompleted", "error": "RunsFailed"}


def counted(ports: Ports, tally: MetricsBuffer) -> Ports:
    """The same ports, with a tally of what passes them."""
    return replace(
        ports,
        store=cast(Store, CountingStore(ports.store, tally)),
        bus=CountingBus(ports.bus, tally),
    )


class CountingStore:
    """A store whose written runs and task runs are counted."""

    def __init__(self, store: Store, tally: MetricsBuffer) -> None:
        self._store, self._tally = store, tally

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def write_run(self, new: Run, seen: Run | None) -> Run | None:
        there = self._store.write_run(new, seen)
        if there is None:
            count_run(self._tally, new, seen)
        return there

    def write_task(
        self, run_id: str, index: int, new: TaskRun, seen: TaskRun | None
    ) -> TaskRun | None:
        there = self._store.write_task(run_id, index, new, seen)
        if there is None:
            count_task(self._tally, new, seen)
        return there


class CountingBus:
    """A bus on which missed ticks are counted."""

    def __init__(self, bus: CerebroBus, tally: MetricsBuffer) -> None:
        self._bus, self._tally = bus, tally

    def publish(self, messages: Sequence[Message]) -> None:
        self._bus.publish(messages)
        for message in messages:
            if isinstance(message, InvocationRejected) and any(
                problem.code == "missed_tick" for problem in message.problems
            ):
                self._tally.count("TicksMissed")


def count_run(tally: MetricsBuffer, new: Run, seen: Run | None) -> None:
    """A run began or ended. One that ends again, after a heal or a retry, counts again."""
    if seen is None:
        tally.count("RunsStarted")
    elif new.status != seen.status and new.status in _ENDED:
        tally.count(_ENDED[new.status])


def count_task(tally: MetricsBuffer, new: TaskRun, seen: TaskRun | None) -> None:
    """An attempt was acknowledged, completed, or failed for good; or a clock ran out. Joins are cerebro's own and not counted."""
    if seen is None or (new.attempt, new.rank) <= (seen.attempt, seen.rank):
        return
    if seen.rank == Rank.PENDING and (first := _first_said_by_a_server(new)) is not None:
        tally.span(
            "AckLatency",
            (first.at - new.dispatched_at) * 1000,
            server=first.by.removeprefix(SERVER_PREFIX),
        )
    if new.is_completed:
        tally.count("TasksCompleted")
    elif new.failed_for_good and new.rank == Rank.ERROR:
        tally.count("TasksFailed")
    if new.rank == Rank.ERROR and new.reason in _CLOCKS:
        tally.count("ClockExpired", reason=str(new.reason))


def _first_said_by_a_server(task: TaskRun) -> TimelineEntry | None:
    return next(
        (
            said
            for said in task.timeline
            if said.attempt == task.attempt and server_of(said.by) is not None
        ),
        None,
    )
