"""Graph checks: what in the declared graph keeps a task from running.

Invariant: they read views of the engine only, so they are the same on a laptop and in the cloud.
"""

from collections.abc import Iterator, Sequence

from cordyna_cli.engine import Engine
from cordyna_cli.operations import Finding, FindingState
from cordyna_cli.wording.foreign_text import one_line
from cordyna_cli.wording.format import join_names
from cordyna_cli.wording.near_names import near_names_of
from cordyna_core.contract.views.graph import TaskInfo


def graph_findings(engine: Engine) -> list[Finding]:
    """Return one finding for each problem, or one that all is well. Raises UserError."""
    tasks = engine.tasks()
    unresolved = list(_unresolved(tasks))
    refused = list(_refused_crons(engine, tasks))
    upstreams = Finding("upstreams", "well", "all are declared")
    notices = list(_notices(tasks))
    crons = Finding("crons", "well", str(sum(info.cron is not None for info in tasks)))
    return [*(unresolved or [upstreams]), *(refused or [crons]), *notices]


def _near_upstream(name: str, tasks: Sequence[TaskInfo]) -> str | None:
    """Return the declared task that was probably meant by an upstream that is not declared."""
    near = near_names_of(name, [info.task for info in tasks], 1)
    return near[0] if near else None


def _unresolved(tasks: Sequence[TaskInfo]) -> Iterator[Finding]:
    needed_by: dict[str, list[str]] = {}
    for info in tasks:
        for name in info.unresolved:
            needed_by.setdefault(name, []).append(info.task)
    for name, dependents in needed_by.items():
        near = _near_upstream(name, tasks)
        hint = f"; did you mean {near}?" if near else ""
        detail = f"{name} is not declared by any server; needed by {join_names(dependents)}{hint}"
        yield Finding("upstreams", "worth a look", detail, f"dyna describe {dependents[0]}")


def _notices(tasks: Sequence[TaskInfo]) -> Iterator[Finding]:
    """Yield what both owners of an edge should know, once for each edge."""
    for info in tasks:
        for notice in info.notices:
            if notice.task == info.task and notice.code != "cannot_tell":
                state: FindingState = "notice" if notice.code == "deprecated" else "worth a look"
                next_command = f"dyna consumers {notice.upstream}"
                yield Finding("edges", state, one_line(notice.message), next_command)


def _refused_crons(engine: Engine, tasks: Sequence[TaskInfo]) -> Iterator[Finding]:
    for info in tasks:
        if info.cron is None:
            continue
        problems = engine.plan(info.task, {}).problems
        if problems:
            detail = f"the cron of {info.task} would be refused: {problems[0].message}"
            yield Finding("crons", "worth a look", detail, f"dyna plan {info.task}")
