"""Graph changes: what subscribers are told when a declaration has changed the graph.

It is stored before the head is written, under the version that the head then names. The next
handler of that server publishes it if it is still there; that may be the same input, delivered
again. A declaration that lost against another one leaves it, and stores it anew before it is
accepted.

Invariant: what changed the graph is published, in this order, for each server (docs/rules.md, rule
9).
"""

from collections.abc import Iterator
from typing import Final

from cerebro.core.effects import Publish, ReadGraphChange, WriteGraphChange
from cerebro.core.graph.graph import Graph
from cordyna_core.contract.base import meta_at
from cordyna_core.contract.ids import derived_id
from cordyna_core.contract.incidents import GraphChanged

NAMES_MAX: Final = 1000
"""Names in each list of a message."""


def graph_changes(before: Graph, after: Graph, *, cause: str, now: float) -> Iterator[GraphChanged]:
    """Yield one message for each server whose declaration is new, another one, or gone."""
    # Both are made of the views of a rehearsal, which no other program of a Lambda needs.
    from cerebro.core.declaration.diff import changes_between  # noqa: PLC0415
    from cerebro.core.declaration.impact import affected_tasks  # noqa: PLC0415

    servers = dict.fromkeys([*before.declarations, *after.declarations])
    changes = list(changes_between(before, after)) if before is not after else []
    for server in servers:
        if before.declarations.get(server) is after.declarations.get(server):
            continue
        own = [change for change in changes if change.server == server]
        names: dict[str, list[str]] = {"added": [], "removed": [], "changed": []}
        for change in own:
            names[change.change].append(change.task)
        affected = [touched.task for touched in affected_tasks(before, after, own, by={server})]
        meta = meta_at(now, derived_id("GraphChanged", after.generation, server), cause)
        yield GraphChanged(
            meta=meta,
            generation=after.generation,
            server=server,
            added=names["added"][:NAMES_MAX],
            removed=names["removed"][:NAMES_MAX],
            changed=names["changed"][:NAMES_MAX],
            affected=affected[:NAMES_MAX],
        )


async def publish_pending_change(graph: Graph, server: str) -> None:
    """Publish the last change of a server's declaration, if its handler may have crashed before."""
    version = graph.head.servers.get(server, "")
    change = await ReadGraphChange(server, version)
    if change is not None:
        await Publish((change,))
        await WriteGraphChange(server, version, None)
