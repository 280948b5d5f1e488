"""Graph changes: what subscribers are told when a declaration has changed the graph.

Invariant: it is a hint. Who writes the head publishes it; a crash right after the write loses it,
and a reader sees that by `generation`, which then steps by more than one.
"""

from collections.abc import Iterator
from typing import Final

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
