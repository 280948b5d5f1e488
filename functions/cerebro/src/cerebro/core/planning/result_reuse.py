"""Result reuse: when a completed result is used again instead of running the task once more.

Invariant: a result is reused only if it was made from the same: the same declarations and the same
parameters in its whole upstream closure. Also, it is young enough for the strictest task that needs
it, every task that runs and needs it accepts a reused result, and its output is still stored. Its
age counts from its dispatch. What only a reused task needs is not run (docs/rules.md, rule 14).

Results are recorded for the tasks that some edge accepts fresh, and for the targets of runs.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from cerebro.core.effects import Now, ReadCachedResult, ReadOutputs
from cerebro.core.graph.graph import Graph
from cerebro.core.model.plan import CachedResult, Plan
from cerebro.core.model.run import fingerprints_of


@dataclass(frozen=True, slots=True)
class PlanWithReuse:
    """A plan, and those outputs of reused results that are stored separately, by index."""

    plan: Plan
    outputs: Mapping[int, Any] = field(default_factory=dict)


async def plan_with_reuse(
    graph: Graph, plan: Plan, params: Mapping[str, Any], max_age_s: int | None
) -> PlanWithReuse:
    """Return the plan with what is fresh enough reused, and without what only that needs.

    `max_age_s` is the invocation's: how old any recorded result may be.
    """
    accepted_ages = {
        (upstream, index): age
        for index, task in enumerate(plan.tasks)
        if not task.is_join
        for upstream, age in _accepted_ages(graph, plan, index)
    }
    if not accepted_ages and max_age_s is None:
        return PlanWithReuse(plan)
    fingerprints = fingerprints_of(plan, params)
    now = await Now()
    needed = {plan.target}
    running: set[int] = set()
    reused: dict[int, CachedResult] = {}
    outputs: dict[int, Any] = {}
    for index in reversed(range(plan.size)):
        if index not in needed:
            continue
        age = _age_limit(plan, index, running, accepted_ages, max_age_s)
        if age is not None and plan.tasks[index].kept:
            result = await ReadCachedResult(plan.tasks[index].name, fingerprints[index])
            if result is not None and now - result.dispatched_at <= age:
                if result.output_ref is None:
                    reused[index] = result
                    continue
                stored = await ReadOutputs(result.run_id, {result.index: result.output_ref})
                if result.index in stored:
                    reused[index], outputs[index] = result, stored[result.index]
                    continue
        running.add(index)
        needed.update(plan.tasks[index].awaits)
    return _pruned(plan, needed, reused, outputs) if reused else PlanWithReuse(plan)


def _accepted_ages(graph: Graph, plan: Plan, index: int) -> list[tuple[int, int]]:
    """Return the upstreams of a task of which it accepts a reused result, with the age."""
    ages = graph[plan.tasks[index].name].task.within_s
    return [
        (upstream, ages[plan.tasks[upstream].name])
        for upstream in plan.tasks[index].upstream
        if plan.tasks[upstream].name in ages
    ]


def _age_limit(
    plan: Plan,
    index: int,
    running: set[int],
    accepted_ages: Mapping[tuple[int, int], int],
    max_age_s: int | None,
) -> float | None:
    """Return how old a result of this task may be, in seconds; None: it has to be new."""
    # A reused task reads no upstream, so it does not ask for a new result of one either.
    users = [user for user in plan.users[index] if user in running]
    by_edges = [accepted_ages.get((index, user)) for user in users]
    ages = [float(age) for age in by_edges if age is not None]
    of_edges = min(ages) if ages and len(ages) == len(by_edges) else None
    return max((age for age in (of_edges, max_age_s) if age is not None), default=None)


def _pruned(
    plan: Plan, needed: set[int], reused: Mapping[int, CachedResult], outputs: Mapping[int, Any]
) -> PlanWithReuse:
    kept = sorted(needed)
    index_of = {old: new for new, old in enumerate(kept)}
    tasks = []
    for old in kept:
        task = plan.tasks[old]
        if old in reused:
            tasks.append(replace(task, upstream=(), awaits=(), reuses=reused[old]))
        else:
            upstream, awaits = (
                tuple(index_of[index] for index in indexes)
                for indexes in (task.upstream, task.awaits)
            )
            tasks.append(replace(task, upstream=upstream, awaits=awaits))
    return PlanWithReuse(
        Plan(tuple(tasks)), {index_of[old]: output for old, output in outputs.items()}
    )
