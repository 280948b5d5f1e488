"""Users: which tasks need each name, and what that makes of unresolved names and forbidden edges.

Invariant: they equal those made anew from the same tasks, whatever was declared before; so no
result depends on the order of declarations. The next graph's are made from those of the graph
before, at the price of what is declared, of its direct users, and of flat copies.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import repeat
from typing import Final

from cerebro.core.graph.edges import Edges
from cerebro.core.graph.ranks import Ranks, changed_ranks, ranks_of
from cerebro.core.graph.reach import NOTHING_REACHED, Reach, Upstream, downstream

Paths = Mapping[str, str]
"""By name: the next one on a shortest path to its source, which leads to itself."""


@dataclass(frozen=True, slots=True)
class Names:
    """Some names of a graph, by number.

    Fields:
        marks: 1 for each of `numbers`.
    """

    numbers: Sequence[int]
    marks: bytearray
    number_of: Mapping[str, int]

    def __contains__(self, name: str) -> bool:
        return bool(self.marks[self.number_of[name]])


@dataclass(frozen=True, slots=True)
class Users:
    """The edges of a graph, from upstream to downstream.

    Fields:
        by_number: of each name, declared or not, the tasks that need it, in any order.
        missing: what is at or downstream of a name that is needed and that no server declares.
        forbidden: what is at or downstream of a task with an upstream on which it may not depend.
        ranks: none if there is a cycle.
    """

    edges: Edges
    by_number: Sequence[Sequence[int]]
    missing: Reach
    forbidden: Reach
    ranks: Ranks | None = None

    def changed(
        self,
        edges: Edges,
        declared: Collection[str],
        restricted: Iterable[str] = (),
        is_forbidden: Callable[[str], bool] | None = None,
    ) -> "Users":
        """Return the users in `edges`, which are made from those of before.

        `declared`: the tasks that differ, or are gone. `restricted`: those of them on which not
        every server may depend, now or before. `is_forbidden`: whether a task has an upstream on
        which it may not depend; none: every task is open to all.
        """
        upstream, number = edges.upstream, edges.numbers.__getitem__
        own = dict.fromkeys(map(number, declared))
        users, needed = self._replaced(own, upstream)
        unsure = {*own}.union([name for name in needed if upstream[name] is None])
        unresolved = [name for name in unsure if upstream[name] is None and users[name]]
        # An edge is allowed or not by its upstream, so the users of what changed are checked too.
        checked = {*own}.union(*[users[name] for name in map(number, restricted)])
        names = edges.names if is_forbidden else []
        closed = [name for name in checked if is_forbidden and is_forbidden(names[name])]
        return Users(
            edges,
            users,
            self.missing.changed(unsure, unresolved, upstream, users),
            self.forbidden.changed(checked, closed, upstream, users),
            ranks_of(edges)
            if self.ranks is None
            else changed_ranks(self.ranks, own, upstream, users),
        )

    def _replaced(
        self, own: Iterable[int], upstream: Upstream
    ) -> tuple[Sequence[Sequence[int]], Sequence[int]]:
        """Return the users now, and the names that are needed now or were, but not both."""
        before = self.edges.upstream
        users = [*self.by_number, *repeat((), len(upstream) - len(self.by_number))]
        lost, won = defaultdict[int, set[int]](set), list[tuple[int, Iterable[int]]]()
        for task in own:
            old, new = (before[task] if task < len(before) else None) or (), upstream[task] or ()
            if old and old != new:
                for name in {*old}.difference(new):
                    lost[name].add(task)
                won.append((task, {*new}.difference(old)))
            elif not old:
                won.append((task, new))
        more = {name: [u for u in users[name] if u not in fewer] for name, fewer in lost.items()}
        for task, names in won:
            for name in names:
                if name in more:
                    more[name].append(task)
                else:
                    more[name] = [*users[name], task]
        needed = [name for name, own_users in more.items() if bool(users[name]) != bool(own_users)]
        for name, own_users in more.items():
            users[name] = tuple(own_users)
        return users, needed

    def of(self, name: str) -> tuple[str, ...]:
        """Return the tasks that need a name, declared or not, sorted."""
        number, names = self.edges.numbers.get(name), self.edges.names
        return () if number is None else tuple(sorted([names[n] for n in self.by_number[number]]))

    def is_needed(self, name: str) -> bool:
        number = self.edges.numbers.get(name)
        return number is not None and bool(self.by_number[number])

    def downstream(self, sources: Iterable[str]) -> Names:
        """Return everything at or downstream of `sources`."""
        numbers, marks = downstream(map(self.edges.numbers.__getitem__, sources), self.by_number)
        return Names(numbers, marks, self.edges.numbers)

    def reached(self, reach: Reach) -> Sequence[str]:
        names = self.edges.names
        return [names[number] for number in reach.numbers]

    def names(self, names: Iterable[str]) -> Names:
        numbers = self.edges.numbers
        return self.numbered([numbers[name] for name in names])

    def numbered(self, numbers: Sequence[int]) -> Names:
        marks = bytearray(len(self.by_number))
        for number in numbers:
            marks[number] = 1
        return Names(numbers, marks, self.edges.numbers)

    def paths(self, sources: Iterable[str]) -> Paths:
        """Return the paths of everything at or downstream of `sources`, the sources included.

        Of several shortest paths it is that to the first source, then that through the first name.
        """
        paths = {source: source for source in sources}
        queue = list(paths)
        for name in queue:
            for user in self.of(name):
                if user not in paths:
                    paths[user] = name
                    queue.append(user)
        return paths


NO_USERS: Final = Users(Edges(), (), NOTHING_REACHED, NOTHING_REACHED)
