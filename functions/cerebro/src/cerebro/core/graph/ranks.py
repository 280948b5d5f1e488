"""Ranks: a number for each name, above those of its upstreams; so a graph has no cycle.

Theory of operation: while every edge leads from a lower rank to a higher one, no path returns to
where it began. A task that is declared, or needs other names than before, gets a rank above theirs.
Nearly always its users have a higher one still, and nothing else is visited. Otherwise, as when a
name is declared after tasks that need it, everything downstream of it is put in order again, and
what has no order is on a cycle or below one. Ranks are never lowered: they are no levels, and
nothing is decided by how far they lie apart.

Invariant: a graph has ranks if and only if it has no cycle.
"""

from array import array
from collections.abc import Iterable, Sequence

from cerebro.core.graph.edges import Edges
from cerebro.core.graph.reach import Upstream, downstream

Ranks = Sequence[int]


def ranks_of(edges: Edges) -> Ranks | None:
    """Return ranks for all names; None: there is a cycle. Visits the whole graph."""
    return None if edges.has_cycle else array("l", [level + 1 for level in edges.levels])


def changed_ranks(
    before: Ranks, own: Iterable[int], upstream: Upstream, users: Sequence[Sequence[int]]
) -> Ranks | None:
    """Return ranks after the upstreams of `own` changed; None: that made a cycle."""
    ranks = array("l", before)
    ranks.extend([0] * (len(upstream) - len(ranks)))
    raised = []
    for task in own:
        rank = _rank_above(upstream[task], ranks)
        if rank > ranks[task]:
            ranks[task] = rank
            raised.append(task)
    low = {task for task in raised for user in users[task] if ranks[user] <= ranks[task]}
    if not low:
        return ranks
    numbers, marks = downstream(low, users)
    waits_for = {task: sum([marks[need] for need in upstream[task] or ()]) for task in numbers}
    ordered = [task for task, count in waits_for.items() if not count]
    for task in ordered:
        ranks[task] = max(ranks[task], _rank_above(upstream[task], ranks))
        for user in users[task]:
            waits_for[user] -= 1
            if not waits_for[user]:
                ordered.append(user)
    return ranks if len(ordered) == len(numbers) else None


def _rank_above(needs: Iterable[int] | None, ranks: Ranks) -> int:
    return max([ranks[need] for need in needs]) + 1 if needs else 0
