"""Recovery checks: what an engine that has just started made of a run that another one left.

Invariant: nothing here calls a program of the core.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from cerebro.core.model.plan import PlannedTask
from cerebro.core.model.run import RunSnapshot
from cerebro.core.model.task_run import Rank, TaskRun
from cerebro.simulator.checks.unexpected import Unexpected

_ROUNDED_S: Final = 0.001


def check_resumed(
    snapshot: RunSnapshot,
    before: Mapping[int, TaskRun],
    after: Mapping[int, TaskRun],
    next_due: float | None,
    *,
    now: float,
) -> None:
    """Check a run that was resumed at `now`; `next_due` is when the engine's next timer is due.

    Downtime counts against no clock, and a back-off ends when it would have. Raises Unexpected.
    """
    for index, fact in before.items():
        task = snapshot.plan.tasks[index]
        expected = fact
        if fact.is_live and not fact.waits_for_retry:
            deadline = now + _clock_s(task, fact)
            expected = replace(fact, dispatched_at=now, deadline=deadline, rev=fact.rev + 1)
        if after[index] != expected:
            raise Unexpected(f"{task.name} was resumed as {after[index]}, not {expected}")
    if next_due is None or next_due > now + _ROUNDED_S:
        raise Unexpected("a run was resumed, and no page of it is looked at")


def _clock_s(task: PlannedTask, fact: TaskRun) -> float:
    match fact.rank:
        case Rank.PENDING:
            return task.ack_timeout_s
        case Rank.QUEUED:
            return task.ack_timeout_s + task.start_timeout_s
    return task.run_timeout_s
