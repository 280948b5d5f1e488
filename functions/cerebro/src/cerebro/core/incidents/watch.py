"""Watch: which tasks of a plan show the end of an open incident when they complete.

Invariant: without open incidents this costs nothing.
"""

from itertools import islice
from typing import Final

from cerebro.core.incidents.incident import SERVER_KINDS
from cerebro.core.model import Plan

OF_ONE_SERVER_MAX: Final = 20
"""Tasks of a silent server that are watched in one run: the first ones, one of which is enough."""


def watched_tasks(plan: Plan, marks: frozenset[str]) -> tuple[int, ...]:
    """Return the indexes of what is watched in a plan. `marks`: `kind:subject` of each incident."""
    if not marks:
        return ()
    subjects = [mark.partition(":") for mark in marks]
    silent = {subject for kind, _, subject in subjects if kind == "unresponsive"}
    tasks = {subject for kind, _, subject in subjects if kind not in SERVER_KINDS}
    watched = {plan.index_of[name] for name in tasks if name in plan.index_of}
    for server in silent:
        of_server = (index for index, task in enumerate(plan.tasks) if task.server == server)
        watched.update(islice(of_server, OF_ONE_SERVER_MAX))
    return tuple(sorted(watched))
