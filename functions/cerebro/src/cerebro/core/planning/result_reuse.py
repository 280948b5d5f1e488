"""Freshness: when a completed result is used again instead of running the task once more.

Law (section 4, rule 14): a result is as old as its dispatch. It is reused only if every task that runs and needs it
wants it fresh rather than new, if it is young enough for the strictest of them, and if the task was declared the same
and got the same parameters. What only a reused task needs is not run at all.

Results are kept for the tasks that some edge wants fresh, and for the targets of runs.
"""

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from cerebro.core.effects import Now, ReadCachedResult
from cerebro.core.graph.graph import Graph
from cerebro.core.model import CachedResult, Plan, PlannedTask
from cordyna_core.contract.ids import derived_id

_to_json: Final = json.JSONEncoder(sort_keys=True, separators=(",", ":")).encode


def fingerprint(task: PlannedTask, params: Mapping[str, Any]) -> str:
    """Names what a result was made from: the task's declaration and those parameters of the run that it takes."""
    taken = {name: params[name] for name in task.params if name in params}
    return derived_id("result", task.version, _to_json(taken))


async def plan_with_reuse(
    graph: Graph, plan: Plan, params: Mapping[str, Any], max_age_s: int | None
) -> Plan:
    """The plan with what is fresh enough reused, and without what is needed by nothing else.

    `max_age_s` is the invocation's: how old any kept result may be.
    """
    within = {
        (up, index): age
        for index, task in enumerate(plan.tasks)
        if not task.is_join
        for up, age in _within(graph, plan, index)
    }
    if not within and max_age_s is None:
        return plan
    now = await Now()
    needed = {plan.target}
    runs: set[int] = set()
    reused: dict[int, CachedResult] = {}
    for index in reversed(range(plan.size)):
        if index not in needed:
            continue
        task = plan.tasks[index]
        age = _allowed_age(plan, index, runs, within, max_age_s)
        if age is not None and task.kept:
            last: CachedResult | None = await ReadCachedResult(task.name, fingerprint(task, params))
            if last is not None and now - last.dispatched_at <= age:
                reused[index] = last
                continue
        runs.add(index)
        needed.update(task.awaits)
    return _pruned(plan, needed, reused) if reused else plan


def _within(graph: Graph, plan: Plan, index: int) -> list[tuple[int, int]]:
    wanted = graph[plan.tasks[index].name].task.within_s
    return [
        (up, wanted[plan.tasks[up].name])
        for up in plan.tasks[index].upstream
        if plan.tasks[up].name in wanted
    ]


def _allowed_age(
    plan: Plan,
    index: int,
    runs: set[int],
    within: Mapping[tuple[int, int], int],
    max_age_s: int | None,
) -> float | None:
    """How old a result of this task may be, in seconds; None: it has to be new."""
    # What is reused reads no upstream, so it does not ask for a new one either.
    users = [user for user in plan.users[index] if user in runs]
    by_edges = [within.get((index, user)) for user in users]
    ages = [float(age) for age in by_edges if age is not None]
    of_edges = min(ages) if ages and len(ages) == len(by_edges) else None
    return max((age for age in (of_edges, max_age_s) if age is not None), default=None)


def _pruned(plan: Plan, needed: set[int], reused: Mapping[int, CachedResult]) -> Plan:
    kept = sorted(needed)
    index_of = {old: new for new, old in enumerate(kept)}
    tasks = []
    for old in kept:
        task = plan.tasks[old]
        if old in reused:
            tasks.append(replace(task, upstream=(), awaits=(), reuses=reused[old]))
        else:
            upstream, awaits = (
                tuple(index_of[up] for up in ups) for ups in (task.upstream, task.awaits)
            )
            tasks.append(replace(task, upstream=upstream, awaits=awaits))
    return Plan(tuple(tasks))
