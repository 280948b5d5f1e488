"""Notices: what both owners of an edge should know (docs/rules.md, rules 18 and 19).

Invariant: a notice is about one edge of the graph as it is, and refuses nothing.
"""

from collections.abc import Collection, Iterable, Iterator
from typing import Final

from cerebro.core.graph.graph import Graph, OwnedTask
from cerebro.core.validation.edge_access import is_allowed
from cerebro.core.validation.problems import shortened
from cordyna_core.contract.declaration import TaskDeclaration
from cordyna_core.contract.notices import Notice, NoticeCode

NOTICES_MAX: Final = 200
"""Notices of one message: thousands do not fit into an event. `dyna consumers` lists all."""


def notices_of_server(graph: Graph, server: str) -> list[Notice]:
    """Return the notices of every edge from or to a task of one server, at most NOTICES_MAX."""
    declared = graph.declarations.get(server)
    if declared is None:
        return []
    own = {task.name: task for task in declared.tasks}
    users: Iterable[str] = own
    if any(map(_concerns_users, own.values())):
        users = graph
    found = [
        notice for notice in notices(graph, users) if notice.task in own or notice.upstream in own
    ]
    return found[:NOTICES_MAX]


def notices(graph: Graph, names: Iterable[str]) -> Iterator[Notice]:
    """Yield the notices of every edge of these tasks to a declared upstream."""
    for name in names:
        user = graph[name]
        for upstream in user.task.upstream_names:
            used = graph.get(upstream)
            if used is not None:
                yield from _of_edge(graph, user, used)


def _concerns_users(task: TaskDeclaration) -> bool:
    return task.deprecated is not None or task.consumers is not None


def _of_edge(graph: Graph, user: OwnedTask, used: OwnedTask) -> Iterator[Notice]:
    if used.task.consumers is not None and not is_allowed(graph, user.task.name, used.task.name):
        message = f"{_named(user)} is not among the consumers of {_named(used)}"
        yield _notice("not_allowed", user, used, message)
    if used.task.deprecated is not None:
        until = f" until {used.task.until}" if used.task.until else ""
        instead = shortened(used.task.deprecated)
        message = f"{_named(user)} needs {_named(used)}, which is deprecated{until}: {instead}"
        yield _notice("deprecated", user, used, message)


def _named(owned: OwnedTask) -> str:
    return f"{owned.task.name} ({shortened(owned.task.owner or owned.server, 60)})"


def _notice(
    code: NoticeCode,
    user: OwnedTask,
    used: OwnedTask,
    message: str,
    reasons: Collection[str] = (),
) -> Notice:
    return Notice(
        code=code,
        task=user.task.name,
        server=user.server,
        owner=user.task.owner,
        upstream=used.task.name,
        upstream_server=used.server,
        upstream_owner=used.task.owner,
        message=message,
        reasons=list(reasons),
    )
