"""Conflicts between declarations: a name claimed twice, a cycle, an edge that is not allowed.

Invariant: an accepted declaration is never rejected retroactively; only new declarations get
problems, and all of them (docs/rules.md, rules 9 and 10).
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Final, NamedTuple

from cerebro.core.declaration.notices import broken_strict_edges
from cerebro.core.graph.graph import Graph
from cerebro.core.validation.edge_access import new_forbidden_edges, not_a_consumer
from cerebro.core.validation.problems import quoted, short_path
from cordyna_core.contract.base import Problem
from cordyna_core.contract.declaration import ServerDeclared, TaskDeclaration

MAX_TASKS_IN_GRAPH: Final = 200_000
_NAMES_SHOWN_MAX: Final = 20

Declarations = Mapping[str, ServerDeclared]


class Joined(NamedTuple):
    """What stays of a graph, and new declarations, each without the tasks that others own.

    Fields:
        problems: of each new server; no entry for one without problems. If there are none, the
            graph holds all that the new servers declared.
    """

    graph: Graph
    problems: Mapping[str, list[Problem]]


def join(
    new: Declarations,
    accepted: Declarations,
    before: Graph,
    versions: Mapping[str, str] = MappingProxyType({}),
) -> Joined:
    """Return the graph of `accepted`, which is what stays of the graph `before`, and of `new`.

    Of two new servers that claim a name, the one that owned it `before` keeps it, else the first
    one gets it. `versions`: those of new declarations that are known.
    """
    problems: dict[str, list[Problem]] = defaultdict(list)
    owners = _owners(new, accepted, before)
    for server, declared in new.items():
        problems[server] += [
            _owned_by_another(task.name, server, owners[task.name])
            for task in declared.tasks
            if owners[task.name] != server
        ]
    owned = {server: only_owned(declared, owners.get) for server, declared in new.items()}
    known = {
        server: versions[server]
        for server, declared in owned.items()
        if server in versions and declared is new[server]
    }
    graph = before.with_servers({**accepted, **owned}, known=known)
    if new and len(graph) > MAX_TASKS_IN_GRAPH:
        problems[list(new)[-1]].append(_graph_full(len(graph)))
    names = [task.name for declared in owned.values() for task in declared.tasks]
    for name, upstream in new_forbidden_edges(graph, names, before):
        problems[graph[name].server].append(not_a_consumer(graph, name, upstream))
    for names_involved, problem in _shared_problems(graph, owned, names, before):
        for server in dict.fromkeys(graph[name].server for name in names_involved):
            if server in new:
                problems[server].append(problem)
    return Joined(graph, {server: of_server for server, of_server in problems.items() if of_server})


def _shared_problems(
    graph: Graph, servers: Collection[str], names: Sequence[str], before: Graph
) -> Iterator[tuple[Sequence[str], Problem]]:
    """Yield the problems of several tasks together, with these tasks."""
    for problem in broken_strict_edges(graph, servers, before):
        yield problem.path or (), problem
    for cycle in _cycles(graph, names, before):
        yield cycle, _cycle_problem(cycle, graph)


def _owners(new: Declarations, accepted: Declarations, before: Graph) -> dict[str, str]:
    """Return the owner of each name that is claimed."""
    owners: dict[str, str] = {}
    claimed = [(task.name, server) for server, declared in new.items() for task in declared.tasks]
    for name, server in claimed:
        owner = before.server_of(name)
        if owner is not None and (owner in accepted or owner == server):
            owners[name] = owner
    for name, server in claimed:
        owners.setdefault(name, server)
    return owners


def _cycles(graph: Graph, among: Sequence[str], before: Graph) -> list[list[str]]:
    """Return cycles through `among`.

    A new one goes through a task whose upstream changed. One that is not new was accepted.
    """
    if not graph.has_cycle:
        return []
    from cerebro.core.graph.cycles import cycles_of  # noqa: PLC0415  networkx takes 85 ms

    changed = [name for name in among if graph.upstream_of(name) != before.upstream_of(name)]
    return cycles_of(graph, among) if cycles_of(graph, changed) else []


def only_owned(declared: ServerDeclared, owner_of: Callable[[str], str | None]) -> ServerDeclared:
    """Return a declaration without the tasks that other servers own, and with none twice.

    So the other problems of a declaration can be found although it is rejected.
    """
    tasks: dict[str, TaskDeclaration] = {}
    for task in declared.tasks:
        if owner_of(task.name) in (None, declared.server):
            tasks.setdefault(task.name, task)
    if len(tasks) == len(declared.tasks):
        return declared
    return declared.model_copy(update={"tasks": list(tasks.values())})


def _owned_by_another(name: str, server: str, owner: str) -> Problem:
    text = (
        f"task {quoted(name)} of {server} belongs to {owner}: "
        f"choose another name, or let {owner} declare without it first"
    )
    return Problem(code="owned_by_another", message=text, path=[name])


def _graph_full(tasks: int) -> Problem:
    text = (
        f"the graph would have {tasks:,} tasks, and {MAX_TASKS_IN_GRAPH:,} are allowed: "
        "declare fewer, or use a second bus"
    )
    return Problem(code="graph_full", message=text)


def _cycle_problem(cycle: list[str], graph: Graph) -> Problem:
    shown = " needs ".join(
        name if name == "..." else f"{name} ({graph.server_of(name)})"
        for name in short_path(cycle, _NAMES_SHOWN_MAX)
    )
    return Problem(
        code="cycle",
        message=f"tasks need each other: {shown}: remove one of these upstreams",
        path=short_path(cycle),
    )
