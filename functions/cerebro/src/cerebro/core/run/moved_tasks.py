"""Moved tasks: failed tasks of a run that other servers own since the run was planned.

Invariant: a run is pinned to its plan (docs/rules.md, rule 12), so a retry of such a task would be
sent to a server that has it no longer. It is refused instead, and says what to do.
"""

from collections.abc import Sequence

from cerebro.core.effects import ReadGraph, ReadTasks
from cerebro.core.model.plan import Plan
from cerebro.core.model.run import RunSnapshot
from cerebro.core.run.own_attempts import has_begun
from cerebro.core.run.rerun import tasks_of_rerun
from cerebro.core.run.transitions import may_retry
from cordyna_core.contract.base import Problem
from cordyna_core.contract.commands import RetryRun
from cordyna_core.contract.refusals import task_moved


async def problems_of_moved_tasks(
    snapshot: RunSnapshot, command: RetryRun, *, cause: str
) -> Sequence[Problem]:
    """Return a problem for each task that the command would run again and that has moved.

    Nothing if an earlier delivery of the command, which is `cause`, has begun to apply it.
    """
    plan = snapshot.plan
    graph = await ReadGraph()
    moved = {
        index: owner
        for index in _in_question(plan, command)
        if (owner := graph.server_of(plan.tasks[index].name))
        not in (None, plan.tasks[index].server)
    }
    if moved and not command.downstream:
        facts = await ReadTasks(snapshot.run.id, tuple(moved), fresh=True)
        moved = {index: moved[index] for index in sorted(facts) if may_retry(facts[index])}
    if not moved or await has_begun(snapshot, cause):
        return ()
    target = plan.tasks[plan.target].name
    return [task_moved(plan.tasks[index].name, str(moved[index]), target) for index in moved]


def _in_question(plan: Plan, command: RetryRun) -> Sequence[int]:
    """Return the tasks that the command may run again, joins included."""
    named = [plan.index_of[name] for name in command.from_]
    if command.downstream:
        return tasks_of_rerun(plan, named)
    return named or range(plan.size)
