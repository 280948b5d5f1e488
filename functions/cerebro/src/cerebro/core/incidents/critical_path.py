"""Critical path: what a run that is late waits for, and when it may be completed.

Invariant: an estimate counts the last known durations; where one is missing, there is no estimate.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from cerebro.core.model.plan import Plan
from cerebro.core.model.task_run import Rank, TaskRun


@dataclass(frozen=True, slots=True)
class CriticalPath:
    """The chain of open tasks that ends last, its first one first.

    `blocked_by`: the task whose failure holds it up. `ready_at`: when its last task may be
    completed (UTC seconds); None: a duration is unknown, or it is held up.
    """

    indexes: tuple[int, ...]
    ready_at: float | None
    blocked_by: int | None = None


def durations_of(plan: Plan, facts: Mapping[int, TaskRun]) -> dict[str, float]:
    """Return how long each completed task of a run took from its dispatch on, in seconds."""
    durations: dict[str, float] = {}
    for index, fact in facts.items():
        task = plan.tasks[index]
        if fact.is_completed and not task.is_join and fact.timeline:
            durations[task.name] = max(0.0, fact.timeline[-1].at - fact.dispatched_at)
    return durations


def critical_path(
    plan: Plan, facts: Mapping[int, TaskRun], usual: Mapping[str, float], *, now: float
) -> CriticalPath:
    """Return what the target of a run waits for. `usual`: seconds by task name."""
    ends: list[float] = []
    unknown: list[bool] = []
    for index, task in enumerate(plan.tasks):
        fact = facts.get(index)
        if fact is not None and fact.is_completed:
            ends.append(now)
            unknown.append(False)
            continue
        begin = max((ends[upstream] for upstream in task.awaits), default=now)
        seconds = 0.0 if task.is_join else usual.get(task.name, 0.0)
        is_running = fact is not None and fact.is_live and fact.rank >= Rank.PENDING
        if is_running and fact is not None:
            seconds = max(0.0, seconds - (now - fact.dispatched_at))
        ends.append(begin + seconds)
        is_known = task.is_join or task.name in usual
        unknown.append(not is_known or any(unknown[upstream] for upstream in task.awaits))
    indexes = _chain(plan, facts, ends)
    failed = next((index for index in indexes if _has_failed(facts.get(index))), None)
    is_estimated = failed is None and not unknown[plan.target]
    shown = tuple(index for index in indexes if not plan.tasks[index].is_join)
    return CriticalPath(shown, ends[plan.target] if is_estimated else None, failed)


def _chain(plan: Plan, facts: Mapping[int, TaskRun], ends: list[float]) -> tuple[int, ...]:
    """Return the open tasks from the one that holds up the target to the target."""
    chain = [plan.target]
    while open_upstreams := [
        upstream
        for upstream in plan.tasks[chain[-1]].awaits
        if (fact := facts.get(upstream)) is None or not fact.is_completed
    ]:
        # What failed ends never; then what ends last; then the first of the plan.
        chain.append(
            max(
                open_upstreams,
                key=lambda index: (_leads_to_failure(plan, facts, index), ends[index], -index),
            )
        )
    return tuple(reversed(chain))


def _leads_to_failure(plan: Plan, facts: Mapping[int, TaskRun], index: int) -> bool:
    """Return whether a task, or something that it awaits, failed for good."""
    pending, known = [index], {index}
    while pending:
        current = pending.pop()
        fact = facts.get(current)
        if _has_failed(fact):
            return True
        if fact is None or not fact.is_completed:
            new = set(plan.tasks[current].awaits) - known
            known |= new
            pending.extend(new)
    return False


def _has_failed(fact: TaskRun | None) -> bool:
    return fact is not None and fact.failed_permanently
