"""Conflicts: what is wrong between declarations: a name that two servers claim, a cycle across servers, a full graph.

Law: what stands is never in the wrong. Only a fresh declaration is told problems, and every one of them.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Final

from cerebro.core.graph.graph import Graph
from cerebro.core.validation.problems import quoted, short_path
from cordyna_core.contract.base import Problem
from cordyna_core.contract.declaration import ServerDeclared, TaskDeclaration

MAX_TASKS_IN_GRAPH: Final = 200_000
_NAMES_SHOWN: Final = 20

Declarations = Mapping[str, ServerDeclared]


def conflicts(
    fresh: Declarations, standing: Declarations, before: Graph
) -> dict[str, list[Problem]]:
    """The problems of each server in `fresh`, which would join what is left `standing` of `before`; no entry for one without problems.

    Of two fresh servers that claim a name, the one that had it `before` keeps it, else the first one gets it.
    """
    if not fresh:
        return {}
    found: dict[str, list[Problem]] = defaultdict(list)
    owners = _owners(fresh, standing, before)
    for server, declared in fresh.items():
        found[server] += [
            _owned(task.name, server, owners[task.name])
            for task in declared.tasks
            if owners[task.name] != server
        ]
    sound = {server: _what_it_owns(declared, owners) for server, declared in fresh.items()}
    graph = before.with_servers({**standing, **sound})
    if len(graph) > MAX_TASKS_IN_GRAPH:
        found[list(fresh)[-1]].append(_full(len(graph)))
    for cycle in _cycles(
        graph, [task.name for each in sound.values() for task in each.tasks], before
    ):
        for server in dict.fromkeys(graph[name].server for name in cycle):
            if server in fresh:
                found[server].append(_cycle(cycle, graph))
    return {server: problems for server, problems in found.items() if problems}


def _owners(fresh: Declarations, standing: Declarations, before: Graph) -> dict[str, str]:
    """Of each name that is claimed."""
    owners: dict[str, str] = {}
    claimed = [(task.name, server) for server, declared in fresh.items() for task in declared.tasks]
    for name, server in claimed:
        owner = before.server_of(name)
        if owner is not None and (owner in standing or owner == server):
            owners[name] = owner
    for name, server in claimed:
        owners.setdefault(name, server)
    return owners


def _cycles(graph: Graph, among: Sequence[str], before: Graph) -> list[list[str]]:
    """Cycles through `among`. The graph `before` has none, so one goes through a task that needs something else now."""
    if graph.has_order(
        name for name in among if graph.upstream_of(name) != before.upstream_of(name)
    ):
        return []
    from cerebro.core.graph.cycles import cycles_of

    return cycles_of(graph, among)


def _what_it_owns(declared: ServerDeclared, owners: Mapping[str, str]) -> ServerDeclared:
    """A declaration without what is refused anyway, so that its cycles can be told in the same breath."""
    tasks: dict[str, TaskDeclaration] = {}
    for task in declared.tasks:
        if owners[task.name] == declared.server:
            tasks.setdefault(task.name, task)
    return declared.model_copy(update={"tasks": list(tasks.values())})


def _owned(name: str, server: str, owner: str) -> Problem:
    text = f"task {quoted(name)} of {server} belongs to {owner}: choose another name, or let {owner} declare without it first"
    return Problem(code="owned_by_another", message=text, path=[name])


def _full(tasks: int) -> Problem:
    text = f"the graph would have {tasks:,} tasks, and {MAX_TASKS_IN_GRAPH:,} are allowed: declare fewer, or use a second bus"
    return Problem(code="graph_full", message=text)


def _cycle(cycle: list[str], graph: Graph) -> Problem:
    shown = " needs ".join(
        name if name == "..." else f"{name} ({graph.server_of(name)})"
        for name in short_path(cycle, _NAMES_SHOWN)
    )
    return Problem(
        code="cycle",
        message=f"tasks need each other: {shown}: take one of these upstreams out",
        path=short_path(cycle),
    )
