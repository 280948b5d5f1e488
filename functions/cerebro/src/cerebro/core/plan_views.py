"""Plan views: a plan as it is shown to whoever asks what an invocation would run.

Law: joins are cerebro's own, and are never shown.
"""

from collections.abc import Sequence

from cerebro.core.graph.graph import Graph
from cerebro.core.model import Plan
from cerebro.core.planning.planner import plan_invocation
from cordyna_core.contract.views.runs import PlannedTaskView, PlanView


def plan_view(plan: Plan) -> PlanView:
    """A plan as it is shown: joins are hidden, a task's upstreams are those that it declared."""
    tasks = [
        PlannedTaskView(
            task=planned.name,
            server=planned.server,
            upstream=[plan.tasks[needed].name for needed in planned.upstream],
            level=level,
        )
        for planned, level in zip(plan.tasks, plan.levels, strict=True)
        if not planned.is_join
    ]
    return PlanView(task=plan.tasks[plan.target].name, tasks=tasks)


def partial_view(graph: Graph, target: str) -> PlanView:
    """What of `target` could run today, with what is in the way of the rest."""
    plan = plan_invocation(graph, target)
    if isinstance(plan, Plan):
        return plan_view(plan)
    if target not in graph:
        return PlanView(task=target, problems=list(plan))
    closure = graph.closure(target)
    behind = {name for users in closure.missing.values() for name in users}
    tasks = []
    for name, upstream, level in zip(
        closure.names, closure.upstream, _levels(closure.upstream), strict=True
    ):
        names = [closure.names[needed] for needed in upstream]
        if name in behind or not behind.isdisjoint(names):
            behind.add(name)
        else:
            tasks.append(
                PlannedTaskView(task=name, server=graph[name].server, upstream=names, level=level)
            )
    return PlanView(task=target, tasks=tasks, problems=list(plan))


def _levels(upstream: Sequence[Sequence[int]]) -> list[int]:
    levels: list[int] = []
    for needs in upstream:
        levels.append(1 + max([levels[needed] for needed in needs], default=-1))
    return levels
