"""Touch: which tasks of other servers a changed graph touches, and by what.

Law: every task that would not be invoked as before is found, once, with the gravest effect and a shortest way to what has
it. Each effect is one walk downstream, so the whole takes time linear in the graph.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Final, Literal

from cerebro.core.graph.graph import Graph
from cerebro.core.validation.problems import short_path
from cordyna_core.contract.views.rehearsal import TaskChange, TouchedTask

Effect = Literal["unresolved", "resolved", "closure", "declaration"]

_NON_BREAKING_FIELDS: Final = frozenset({"owner", "description", "cron", "timezone", "overlap"})
"""Fields that change nothing for whoever needs the task."""


def affected_tasks(
    before: Graph, after: Graph, changes: Sequence[TaskChange], *, by: Collection[str]
) -> list[TouchedTask]:
    """The tasks of servers other than `by` that would be invoked otherwise, the gravest effect first."""
    bystanders = [name for name in after if after[name].server not in by and name in before]
    if not bystanders or not changes:
        return []
    found: dict[str, TouchedTask] = {}
    for effect, ways, unless in _effects(before, after, changes):
        for name in bystanders:
            if name in ways and name not in unless and name not in found:
                found[name] = _touched(after, name, effect, ways)
    return list(found.values())


def _effects(
    before: Graph, after: Graph, changes: Sequence[TaskChange]
) -> Iterable[tuple[Effect, Mapping[str, str], Collection[str]]]:
    """Each effect, the ways to what has it, and those whom it does not touch."""
    was_missing, is_missing = (
        _reached(graph.unresolved, _users(graph)) if graph.unresolved else {}
        for graph in (before, after)
    )
    yield "unresolved", is_missing, was_missing
    yield "resolved", was_missing, is_missing
    users = _users(before, after)
    yield (
        "closure",
        _reached([change.task for change in changes if _is_of_the_closure(change)], users),
        (),
    )
    yield (
        "declaration",
        _reached([change.task for change in changes if _is_of_consequence(change)], users),
        (),
    )


def _is_of_the_closure(change: TaskChange) -> bool:
    return change.change != "changed" or any(field.what == "upstream" for field in change.fields)


def _is_of_consequence(change: TaskChange) -> bool:
    return any(field.what not in _NON_BREAKING_FIELDS for field in change.fields)


def _touched(after: Graph, name: str, effect: Effect, ways: Mapping[str, str]) -> TouchedTask:
    server, task = after[name]
    path = [name]
    while (nearer := ways.get(path[-1], path[-1])) != path[-1]:
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
    """For each name, declared or not, the tasks that need it in any of the graphs."""
    users: defaultdict[str, dict[str, None]] = defaultdict(dict)
    for graph in graphs:
        for name in graph:
            for upstream in graph[name].task.upstream_names:
                users[upstream][name] = None
    return users


def _reached(sources: Iterable[str], users: Mapping[str, Iterable[str]]) -> dict[str, str]:
    """Every name downstream of `sources`, and the next name on a shortest way to one of them; a source leads to itself."""
    found = {source: source for source in sources}
    queue = list(found)
    for name in queue:
        for user in users.get(name, ()):
            if user not in found:
                found[user] = name
                queue.append(user)
    return found
