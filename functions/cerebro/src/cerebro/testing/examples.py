"""Examples: the declarations, plans, runs and facts that the contract tests use."""

from typing import Any, Final

from cerebro.core.graph.versions import Head, version_of
from cerebro.core.model.plan import Plan, PlannedTask
from cerebro.core.model.run import Run
from cerebro.core.model.task_run import Rank, TaskRun, TimelineEntry
from cerebro.ports import Store
from cordyna_core.contract.base import ErrorDescription
from cordyna_core.contract.declaration import ServerDeclared
from cordyna_core.contract.ids import derived_id

NOW: Final = 1_790_000_000.25
"""About what the clocks of the stores under test show."""

RUN: Final = derived_id("example run")
OTHER: Final = derived_id("other example run")


def a_declaration(server: str, *tasks: str, **fields: Any) -> ServerDeclared:
    """Return a server that declares `tasks`, each of which needs the one before it.

    `fields` belong to the first task.
    """
    described = [
        {"name": name, "upstream": list(tasks[position - 1 : position])}
        for position, name in enumerate(tasks)
    ]
    return ServerDeclared.model_validate(
        {
            "server": server,
            "tasks": [{**described[0], **fields}, *described[1:]] if described else [],
        }
    )


def accept(store: Store, *declared: ServerDeclared, seen: Head | None = None) -> bool:
    """Write the declarations and a head that names exactly them. Returns whether it was written."""
    before = seen if seen is not None else store.read_graph().head
    for declaration in declared:
        store.write_declaration(version_of(declaration), declaration)
    return store.write_head(
        Head(
            before.generation + 1,
            {declaration.server: version_of(declaration) for declaration in declared},
        ),
        before,
    )


def a_plan(size: int = 3, *, width: int = 3) -> Plan:
    """Return `size` tasks, each of which awaits up to `width` before it."""
    tasks = [
        PlannedTask(
            name=f"team.task-{index}",
            server="server-a",
            upstream=tuple(range(max(0, index - width), index)),
            awaits=tuple(range(max(0, index - width), index)),
            version=derived_id("task", index),
        )
        for index in range(size)
    ]
    return Plan(tuple(tasks))


def a_run(run_id: str = RUN, **fields: Any) -> Run:
    """Return a running run of `a_plan()`."""
    defaults = {
        "id": run_id,
        "task": "team.task-2",
        "plan_id": a_plan().id,
        "created_at": NOW,
        "cause": "cause-1",
    }
    return Run(**{**defaults, **fields})


def invoked(store: Store, run: Run) -> Run:
    """Write the run and its plan, and return it."""
    store.write_plan(a_plan())
    assert store.write_run(run, None) is None
    return run


def a_fact(rank: Rank = Rank.PENDING, *, attempt: int = 1, rev: int = 1, **fields: Any) -> TaskRun:
    """Return a fact with a running clock."""
    defaults = {"cause": "cause-1", "dispatched_at": NOW, "deadline": NOW + 10}
    return TaskRun(attempt=attempt, rank=rank, rev=rev, **{**defaults, **fields})


def a_full_fact() -> TaskRun:
    """Return a fact in which every field has a value."""
    return TaskRun(
        attempt=3,
        rank=Rank.ERROR,
        reason="failed",
        deadline=NOW + 0.1,
        cause="ring:0:1790000000.250",
        attempts_allowed=4,
        dispatched_at=NOW - 1 / 3,
        output={
            "text": 'ü "quoted" \\ \n \u2028 \U0001f600',
            "numbers": [1, 2.5, -0.0, 2**60, 1e-300],
            "none": None,
            "empty": [{}, [], ""],
        },
        output_ref="ref-1",
        error=ErrorDescription(
            type="ValueError", message="ä\tb", retryable=False, traceback="line 1\nline 2"
        ),
        timeline=(
            TimelineEntry("pending", "dispatched", NOW, "cordyna.cerebro", 1),
            TimelineEntry("error", None, NOW + 2, "cordyna.server.server-a", 3),
        ),
        rev=17,
    )
