"""Graph changes: what subscribers are told when a declaration has changed the graph.

It is stored before the head is written, under the version that the head then names. The next
handler of that server publishes it if it is still there; that may be the same input, delivered
again. A declaration that lost against another one leaves it, and stores it anew before it is
accepted.

Invariant: what changed the graph is published, in this order, for each server (docs/rules.md, rule
9).
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from itertools import chain, islice
from typing import Final

from cerebro.core.declaration.changes import Change, changes_between
from cerebro.core.declaration.impact import Impact
from cerebro.core.effects import Publish, ReadGraphChange, WriteGraphChange
from cerebro.core.graph.graph import Graph
from cordyna_core.contract.base import meta_at
from cordyna_core.contract.ids import derived_id
from cordyna_core.contract.incidents import GraphChanged

NAMES_MAX: Final = 1000
"""Names in each list of a message."""


def graph_changes(before: Graph, after: Graph, *, cause: str, now: float) -> Iterator[GraphChanged]:
    """Yield one message for each server whose declaration is new, another one, or gone."""
    changes = list(changes_between(before, after))
    impact = Impact(before, after, changes)
    changes_of: defaultdict[str, list[Change]] = defaultdict(list)
    for change in changes:
        changes_of[change.server].append(change)
    for server in dict.fromkeys([*before.declarations, *after.declarations]):
        if before.declarations.get(server) is after.declarations.get(server):
            continue
        own = changes_of[server]
        affected = (names for _, names in impact.affected(own, by={server}))
        yield GraphChanged(
            meta=meta_at(now, derived_id("GraphChanged", after.generation, server), cause),
            generation=after.generation,
            server=server,
            added=_first(change.task for change in own if change.kind == "added"),
            removed=_first(change.task for change in own if change.kind == "removed"),
            changed=_first(change.task for change in own if change.kind == "changed"),
            affected=_first(chain.from_iterable(affected)),
        )


def _first(names: Iterable[str]) -> list[str]:
    return list(islice(names, NAMES_MAX))


async def publish_pending_change(graph: Graph, server: str) -> None:
    """Publish the last change of a server's declaration, if its handler may have crashed before."""
    version = graph.head.servers.get(server, "")
    change = await ReadGraphChange(server, version)
    if change is not None:
        await Publish((change,))
        await WriteGraphChange(server, version, None)
