"""Access: edges that the owner of an upstream does not allow (docs/rules.md, rule 18).

Invariant: an edge is allowed by the declaration of its upstream as it is now. A declaration with a
new edge that is not allowed is rejected. An accepted edge whose upstream was closed since stays
accepted, however often its server declares it again; what needs it is refused when it is invoked.
"""

from collections.abc import Iterable, Iterator

from cerebro.core.graph.graph import Graph
from cerebro.core.validation.problems import names_of, quoted
from cordyna_core.contract.base import Problem


def forbidden_edges(graph: Graph, names: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Yield (task, upstream) of every edge of these tasks that is not allowed."""
    restricted = graph.restricted
    if not restricted:
        return
    for name in names:
        for upstream in graph.upstream_of(name):
            if upstream in restricted and not is_allowed(graph, name, upstream):
                yield name, upstream


def new_forbidden_edges(
    graph: Graph, names: Iterable[str], accepted: Graph
) -> Iterator[tuple[str, str]]:
    """Yield the forbidden edges of these tasks that are not in the `accepted` graph already.

    An accepted edge is one of the same server: a task that moved to another one asks anew.
    """
    for name, upstream in forbidden_edges(graph, names):
        is_same_server = accepted.server_of(name) == graph.server_of(name)
        if not (is_same_server and upstream in accepted.upstream_of(name)):
            yield name, upstream


def is_allowed(graph: Graph, name: str, upstream: str) -> bool:
    """Return whether a task may depend on `upstream`; both are declared."""
    return graph[upstream].may_be_used_by(graph[name].server)


def not_a_consumer(graph: Graph, name: str, upstream: str) -> Problem:
    """Return the problem of an edge that is not allowed; it names both sides."""
    server, (owner, declared) = graph.server_of(name), graph[upstream]
    allowed = names_of(declared.consumers or []) or "its own server only"
    return Problem(
        code="not_a_consumer",
        message=f"task {quoted(name)} of {server} may not depend on {quoted(upstream)} of {owner}, "
        f"whose consumers are {allowed}: ask {declared.owner or owner} to add {server}, or remove "
        "it from upstream",
        path=[name, upstream],
    )
