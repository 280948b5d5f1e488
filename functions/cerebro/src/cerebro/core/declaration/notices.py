"""Notices: what both owners of an edge should know (docs/rules.md, rules 18 and 21).

Invariant: a notice is about one edge of the graph as it is, and refuses nothing by itself.
"""

import json
from collections.abc import Collection, Iterable, Iterator
from itertools import chain, islice
from typing import Final

from cerebro.core.graph.graph import Graph
from cerebro.core.graph.owned_task import OwnedTask
from cerebro.core.validation.compatibility import Compatibility, compare_texts
from cerebro.core.validation.edge_access import is_allowed
from cerebro.core.validation.problems import shortened
from cordyna_core.contract.base import Problem
from cordyna_core.contract.declaration import TaskDeclaration
from cordyna_core.contract.notices import Notice, NoticeCode

NOTICES_MAX: Final = 200
"""Notices of one message: thousands do not fit into an event. `dyna consumers` lists all."""


def notices_of_server(graph: Graph, server: str) -> list[Notice]:
    """Return the notices of every edge from or to a task of one server, at most NOTICES_MAX."""
    declared = graph.declarations.get(server)
    if declared is None:
        return []
    noticed = graph.restricted | graph.deprecated
    using = [task.name for task in declared.tasks if _needs_any(task, noticed)] if noticed else ()
    features, users = graph.features_of(server), graph.users
    # Also what declares no type any more, and of which one is still expected.
    expected = graph.expected.intersection([task.name for task in declared.tasks])
    concerning = features.deprecated | features.restricted | expected
    names = features.expecting.union(using, *map(users.of, concerning))
    own = graph.tasks_of(server)
    found = (
        notice
        for notice in notices(graph, chain.from_iterable(graph.by_server(users.names(names))))
        if notice.task in own or notice.upstream in own
    )
    return list(islice(found, NOTICES_MAX))


def notices(graph: Graph, names: Iterable[str]) -> Iterator[Notice]:
    """Yield the notices of every edge of these tasks to a declared upstream."""
    for name in names:
        user = graph[name]
        for upstream in user.task.upstream_names:
            used = graph.get(upstream)
            if used is not None:
                yield from _of_edge(graph, user, used)


def _needs_any(task: TaskDeclaration, names: Collection[str]) -> bool:
    return any(upstream in names for upstream in task.upstream_names)


def verdict_of(user: OwnedTask, used: OwnedTask) -> Compatibility | None:
    """Return whether the output of an upstream suits its user; None: nothing is expected of it."""
    edge = user.task.expecting.get(used.task.name)
    if edge is None:
        return None
    produced = used.task.output_schema
    text = None if produced is None else json.dumps(produced)
    return compare_texts(text, json.dumps(edge.expects))


def broken_strict_edges(
    graph: Graph, servers: Collection[str], accepted: Graph
) -> Iterator[Problem]:
    """Yield a problem of every strict edge from or to a task of these servers that breaks.

    One whose two sides are as in the `accepted` graph is not judged again: a newer version of
    cerebro may tell more breaks than the one that accepted it. `path` is [the user, its upstream].
    """
    users, names = graph.users, set[str]()
    for features in map(graph.features_of, servers):
        names.update(features.expecting, *map(users.of, features.typed))
    for name in chain.from_iterable(graph.by_server(users.names(names))):
        user = graph[name]
        for upstream, edge in user.task.expecting.items():
            used = graph.get(upstream)
            if used is None or not edge.strict or _is_accepted(user, used, accepted):
                continue
            verdict = verdict_of(user, used)
            if verdict is not None and verdict.kind == "breaks":
                message = (
                    f"{_breaks(user, used, verdict)}, and its edge is strict: keep the output as "
                    "it was, or agree on the change first"
                )
                yield Problem(code="breaks_consumer", message=message, path=[name, upstream])


def _is_accepted(user: OwnedTask, used: OwnedTask, accepted: Graph) -> bool:
    """Return whether the type of an edge is the same on both sides in the accepted graph."""
    user_before, used_before = accepted.get(user.task.name), accepted.get(used.task.name)
    if user_before is None or used_before is None or user_before.server != user.server:
        return False
    edge, before = (each.task.expecting.get(used.task.name) for each in (user, user_before))
    return edge == before and used.task.output_schema == used_before.task.output_schema


def _breaks(user: OwnedTask, used: OwnedTask, verdict: Compatibility) -> str:
    reasons = "; ".join(verdict.reasons)
    return f"{_named(user)}: output of {used.task.name} breaks it: {reasons}"


def _of_edge(graph: Graph, user: OwnedTask, used: OwnedTask) -> Iterator[Notice]:
    verdict = verdict_of(user, used)
    if verdict is not None and verdict.kind == "breaks":
        yield _notice("breaks", user, used, _breaks(user, used, verdict), verdict.reasons)
    elif verdict is not None and verdict.kind == "cannot_tell":
        message = (
            f"{_named(user)}: cannot tell whether output of {used.task.name} suits it: "
            f"{'; '.join(verdict.reasons)}"
        )
        yield _notice("cannot_tell", user, used, message, verdict.reasons)
    if used.task.consumers is not None and not is_allowed(graph, user.task.name, used.task.name):
        message = (
            f"{_named(user)} is not among the consumers of {_named(used)}: what needs this edge "
            "is not invoked"
        )
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
