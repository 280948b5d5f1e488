"""Reach: everything at or downstream of some sources, kept from one graph to the next.

Theory of operation: each name has a support, the number of its upstreams that are reached, and one
more if it is a source itself. What is reached has support. When edges or sources change, the
support of the changed names is counted anew; what gains its first support is then reached, and
supports its users; what has lost its last one is not, and supports them no longer. So only names
whose answer differs are visited, and their users. A healthy graph has no sources: it costs nothing.

Invariant: it equals a walk from the sources, if neither graph has a cycle. Names on a cycle may
support each other when nothing else does: the reach of such a graph is made anew
(`Graph.with_users_anew`).
"""

from array import array
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from itertools import repeat
from typing import Final

Upstream = Sequence[tuple[int, ...] | None]
"""For each number those of its upstreams; None: no server declares it."""


@dataclass(frozen=True, slots=True)
class Reach:
    """What is reached, by number.

    Fields:
        marks: 1 for what is reached. Numbers beyond its end are not.
        support: as long as `marks`.
    """

    marks: bytes
    support: "array[int]"

    def changed(
        self,
        changed: Collection[int],
        sources: Collection[int],
        upstream: Upstream,
        users: Sequence[Sequence[int]],
    ) -> "Reach":
        """Return what is reached in the graph of these edges.

        `changed`: the names whose upstreams changed, and those that became a source or ceased to
        be one. `sources`: those of them that are a source now.
        """
        if not sources and 1 not in self.marks:
            return NOTHING_REACHED
        more = len(upstream) - len(self.marks)
        marks, support = bytearray(self.marks) + bytes(more), self.support[:]
        support.extend(repeat(0, more))
        for number in changed:
            needs = upstream[number]
            support[number] = sum([marks[needed] for needed in needs]) if needs else 0
        for number in sources:
            support[number] += 1
        gained = [number for number in changed if support[number] and not marks[number]]
        _spread(gained, 1, marks, support, users)
        lost = [number for number in changed if marks[number] and not support[number]]
        _spread(lost, -1, marks, support, users)
        return Reach(bytes(marks), support)

    @property
    def numbers(self) -> Sequence[int]:
        """What is reached."""
        return _marked(self.marks)

    def since(self, before: "Reach") -> tuple[Sequence[int], Sequence[int]]:
        """Return what is reached now and was not `before`, and what was reached and is not.

        The numbers mean the same names in both.
        """
        if self.marks == before.marks:
            return (), ()
        length = max(len(self.marks), len(before.marks))
        now, old = (reach.marks.ljust(length, b"\0") for reach in (self, before))
        differing = int.from_bytes(now, "little") ^ int.from_bytes(old, "little")
        numbers = _marked(differing.to_bytes(length, "little"))
        return (
            [number for number in numbers if not old[number]],
            [number for number in numbers if old[number]],
        )


NOTHING_REACHED: Final = Reach(b"", array("l"))


def downstream(
    sources: Iterable[int], users: Sequence[Sequence[int]]
) -> tuple[Sequence[int], bytearray]:
    """Return everything at or downstream of `sources`, and a mark for each of it."""
    numbers, marks = list(sources), bytearray(len(users))
    for number in numbers:
        marks[number] = 1
    for number in numbers:
        for user in users[number]:
            if not marks[user]:
                marks[user] = 1
                numbers.append(user)
    return numbers, marks


def _spread(
    names: list[int],
    step: int,
    marks: bytearray,
    support: "array[int]",
    users: Sequence[Sequence[int]],
) -> None:
    """Mark names as reached (`step` 1) or not (-1), and what follows from that downstream."""
    mark = step > 0
    for number in names:
        marks[number] = mark
    for number in names:
        for user in users[number]:
            support[user] += step
            if marks[user] != mark and bool(support[user]) == mark:
                marks[user] = mark
                names.append(user)


def _marked(marks: bytes) -> Sequence[int]:
    numbers = []
    number = marks.find(1)
    while number >= 0:
        numbers.append(number)
        number = marks.find(1, number + 1)
    return numbers
