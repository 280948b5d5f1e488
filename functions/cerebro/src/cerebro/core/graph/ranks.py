"""Ranks: a number for each name, above those of its upstreams; so a graph has no cycle.

Theory of operation: while every edge leads from a lower rank to a higher one, no path returns to
where it began. A name that no server declares needs nothing, so it can be moved below its users at
any time. A task that is declared, or needs other tasks than before, is moved above them. Nearly
always its users have a higher rank still, and nothing else is visited. Otherwise everything
downstream of it is put in order again, and what has no order is on a cycle or below one. Ranks are
no levels: nothing is decided by how far they lie apart.

Invariant: a graph has ranks if and only if it has no cycle.
"""

from array import array
from collections.abc import Iterable, MutableSequence, Sequence

from cerebro.core.graph.edges import Edges
from cerebro.core.graph.reach import Upstream, downstream

Ranks = Sequence[int]


def ranks_of(edges: Edges) -> Ranks | None:
    """Return ranks for all names; None: there is a cycle. Visits the whole graph."""
    return None if edges.has_cycle else array("l", edges.levels)


def changed_ranks(
    before: Ranks, own: Iterable[int], upstream: Upstream, users: Sequence[Sequence[int]]
) -> Ranks | None:
    """Return ranks after the upstreams of `own` changed; None: that made a cycle."""
    ranks = array("l", before)
    ranks.extend([0] * (len(upstream) - len(ranks)))
    raised = [task for task in own if upstream[task] and _is_raised(task, ranks, upstream)]
    low = {task for task in raised for user in users[task] if ranks[user] <= ranks[task]}
    return _in_order(low, ranks, upstream, users) if low else ranks


def _is_raised(task: int, ranks: MutableSequence[int], upstream: Upstream) -> bool:
    """Move a task above what it needs; return whether it was not."""
    rank, undeclared = ranks[task], []
    for need in upstream[task] or ():
        if upstream[need] is None:
            undeclared.append(need)
        elif ranks[need] >= rank:
            rank = ranks[need] + 1
    for need in undeclared:
        ranks[need] = min(ranks[need], rank - 1)
    is_raised = rank > ranks[task]
    ranks[task] = rank
    return is_raised


def _in_order(
    low: Iterable[int],
    ranks: MutableSequence[int],
    upstream: Upstream,
    users: Sequence[Sequence[int]],
) -> Ranks | None:
    """Move each task downstream of `low` after all that it needs; None: some have no order."""
    numbers, marks = downstream(low, users)
    waits_for = {task: sum([marks[need] for need in upstream[task] or ()]) for task in numbers}
    ordered = [task for task, count in waits_for.items() if not count]
    for task in ordered:
        _is_raised(task, ranks, upstream)
        for user in users[task]:
            waits_for[user] -= 1
            if not waits_for[user]:
                ordered.append(user)
    return ranks if len(ordered) == len(numbers) else None
