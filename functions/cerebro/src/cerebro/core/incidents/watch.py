"""Watch: which tasks of a plan show the end of an open incident when they complete.

Theory of operation. A run watches the first OF_ONE_SERVER_MAX tasks of a silent server, so a large
run does not send a notice for each task. These may all have completed, or failed, before the
server answers again with a later task. So a run with more of them also watches its target: when it
completes, all facts of the run are looked at, as they are whenever a run fails or ends in error.

Invariant: without open incidents this costs nothing.
"""

from collections import Counter
from collections.abc import Mapping
from typing import Final

from cerebro.core.incidents.incident import SERVER_KINDS
from cerebro.core.model.plan import Plan
from cerebro.core.model.task_run import TaskRun

OF_ONE_SERVER_MAX: Final = 20
"""Tasks of a silent server that are watched in one run: the first ones."""


def watched_tasks(plan: Plan, marks: frozenset[str]) -> tuple[int, ...]:
    """Return the indexes of what is watched in a plan. `marks`: `kind:subject` of each incident."""
    watched: set[int] = set()
    for mark in marks:
        indexes = tasks_of_cause(plan, mark)
        watched.update(indexes[:OF_ONE_SERVER_MAX])
        if len(indexes) > OF_ONE_SERVER_MAX:
            watched.add(plan.target)
    return tuple(sorted(watched))


def tasks_of_cause(plan: Plan, mark: str) -> tuple[int, ...]:
    """Return the indexes of all tasks whose completion shows the end of an incident."""
    kind, _, subject = mark.partition(":")
    if kind == "unresponsive":
        return tuple(index for index, task in enumerate(plan.tasks) if task.server == subject)
    if kind in SERVER_KINDS or subject not in plan.index_of:
        return ()
    return (plan.index_of[subject],)


def crowded_servers(plan: Plan) -> frozenset[str]:
    """Return the servers that have more tasks in a plan than are watched."""
    counts = Counter(task.server for task in plan.tasks if not task.is_join)
    return frozenset(server for server, count in counts.items() if count > OF_ONE_SERVER_MAX)


def last_answers(plan: Plan, facts: Mapping[int, TaskRun]) -> dict[str, float]:
    """Return when each crowded server was sent the last command that it completed (UTC seconds)."""
    crowded = crowded_servers(plan)
    answers: dict[str, float] = {}
    for index, fact in facts.items():
        task = plan.tasks[index]
        if task.server in crowded and fact.is_completed and task.reuses is None:
            answers[task.server] = max(fact.dispatched_at, answers.get(task.server, 0.0))
    return answers
