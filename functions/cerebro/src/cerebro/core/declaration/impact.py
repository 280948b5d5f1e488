"""Impact: which tasks of other servers a changed graph affects, and how.

Invariant: every task that would not be invoked as before is found, once, with its gravest effect
and a shortest path to what causes it. Each effect is one walk downstream, so the time is linear in
the graph.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Final, NamedTuple

from cerebro.core.graph.graph import Graph
from cerebro.core.validation.edge_access import forbidden_edges
from cerebro.core.validation.problems import short_path
from cordyna_core.contract.declaration import FIELDS_WITHOUT_EFFECT_ON_RESULTS
from cordyna_core.contract.views.rehearsal import Effect, TaskChange, TouchedTask

_NON_BREAKING_FIELDS: Final = FIELDS_WITHOUT_EFFECT_ON_RESULTS | {
    "owner",
    "description",
    "cron",
    "timezone",
    "overlap",
}
"""Fields whose change affects no other task by itself."""

Paths = Mapping[str, str]
"""By affected task: the next task on a shortest path to the cause, which leads to itself."""


class _Affected(NamedTuple):
    """The tasks with an effect are those in `paths`, except those in `unless`."""

    effect: Effect
    paths: Paths
    unless: Collection[str] = ()


def affected_tasks(
    before: Graph, after: Graph, changes: Sequence[TaskChange], *, by: Collection[str]
) -> list[TouchedTask]:
    """Return the affected tasks of servers other than `by`, the gravest effect first."""
    bystanders = [name for name in after if after[name].server not in by and name in before]
    if not bystanders or not changes:
        return []
    affected: dict[str, TouchedTask] = {}
    for effect, paths, unless in _effects(before, after, changes):
        for name in bystanders:
            if name in paths and name not in unless and name not in affected:
                affected[name] = _touched(after, name, effect, paths)
    return list(affected.values())


def _effects(before: Graph, after: Graph, changes: Sequence[TaskChange]) -> Iterable[_Affected]:
    was_missing, is_missing = map(_downstream_of_unresolved, (before, after))
    yield _Affected("unresolved", is_missing, was_missing)
    was_forbidden, is_forbidden = map(_downstream_of_forbidden, (before, after))
    yield _Affected("not_allowed", is_forbidden, was_forbidden)
    was_needing, is_needing = map(_downstream_of_required_params, (before, after))
    if is_needing:
        # The ticks of a cron carry no params, so they will be refused.
        unless = {*after} - _with_cron(after, after) | _with_cron(was_needing, before)
        yield _Affected("cron_needs_params", is_needing, unless)
    yield _Affected("resolved", was_missing, is_missing)
    users = _users(before, after)
    closure = [change.task for change in changes if _changes_closure(change)]
    yield _Affected("closure", _reached(closure, users))
    declaration = [change.task for change in changes if _changes_invocation(change)]
    yield _Affected("declaration", _reached(declaration, users))


def _downstream_of_unresolved(graph: Graph) -> Paths:
    return _reached(graph.unresolved, _users(graph)) if graph.unresolved else {}


def _downstream_of_forbidden(graph: Graph) -> Paths:
    edges = dict(forbidden_edges(graph, graph))
    paths = dict(_reached(edges, _users(graph))) if edges else {}
    # A path ends with the upstream that is not allowed, which is not affected itself.
    return paths | edges


def _downstream_of_required_params(graph: Graph) -> Paths:
    needing = [name for name in graph if (graph[name].task.params_schema or {}).get("required")]
    return _reached(needing, _users(graph)) if needing else {}


def _with_cron(names: Iterable[str], graph: Graph) -> set[str]:
    return {name for name in names if name in graph and graph[name].task.cron is not None}


def _changes_closure(change: TaskChange) -> bool:
    return change.change != "changed" or any(field.what == "upstream" for field in change.fields)


def _changes_invocation(change: TaskChange) -> bool:
    return any(field.what not in _NON_BREAKING_FIELDS for field in change.fields)


def _touched(after: Graph, name: str, effect: Effect, paths: Paths) -> TouchedTask:
    server, task = after[name]
    path = [name]
    while (nearer := paths.get(path[-1], path[-1])) != path[-1]:
        path.append(nearer)
    return TouchedTask(
        task=name,
        server=server,
        effect=effect,
        owner=task.owner,
        cron=task.cron,
        path=short_path(path),
    )


def _users(*graphs: Graph) -> Mapping[str, Iterable[str]]:
    """Return the tasks that need each name, declared or not, in any of the graphs."""
    users: defaultdict[str, dict[str, None]] = defaultdict(dict)
    for graph in graphs:
        for name in graph:
            for upstream in graph[name].task.upstream_names:
                users[upstream][name] = None
    return users


def _reached(sources: Iterable[str], users: Mapping[str, Iterable[str]]) -> Paths:
    """Return the paths of every name downstream of `sources`."""
    paths = {source: source for source in sources}
    queue = list(paths)
    for name in queue:
        for user in users.get(name, ()):
            if user not in paths:
                paths[user] = name
                queue.append(user)
    return paths
