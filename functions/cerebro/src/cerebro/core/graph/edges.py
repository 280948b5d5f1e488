"""Edges: which task needs which, by number, with closures, levels and topological order.

Invariant: edges are immutable; the next declaration makes others. A name gets a number when it
first appears, as a task or as an upstream, and keeps it in all edges that are made from these. So a
task that is added or removed changes only its own edges, and the rest is shared. No result depends
on a number.

They are tuples of numbers, because networkx takes five times as long to order a part of a graph and
50 MB more to hold 100,000 tasks. It finds the cycles: see `cycles`.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from cordyna_core.contract.declaration import TaskDeclaration

_NO_LEVEL: Final = -2
_BELOW_EVERY_TASK: Final = -1


@dataclass(frozen=True, slots=True)
class Closure:
    """A task and everything upstream of it, in topological order, the target last.

    The order is by level (the length of the longest path from a task without upstreams): what runs
    at the same time is adjacent, so that it shares pages and their timers. Within a level it is the
    order of a breadth-first search from the target, so it depends only on what is declared.

    Fields:
        upstream: for each task, indexes into `names`.
        missing: unresolved name -> the tasks that need it.
    """

    names: tuple[str, ...]
    upstream: tuple[tuple[int, ...], ...]
    missing: Mapping[str, tuple[str, ...]]


class Edges:
    """For each name the numbers of its upstreams in declared order; None: no server declares it."""

    def __init__(
        self,
        numbers: Mapping[str, int] | None = None,
        upstream: Sequence[tuple[int, ...] | None] = (),
    ) -> None:
        self.numbers: Final = numbers or {}
        self.upstream: Final = upstream

    def changed(self, gone: Iterable[str], declared: Sequence[TaskDeclaration]) -> "Edges":
        """Return edges without the tasks `gone` and with those `declared`."""
        numbers: defaultdict[str, int] = defaultdict(None, self.numbers)
        upstream = list(self.upstream)
        for name in gone:
            upstream[numbers[name]] = None
        numbers.default_factory = numbers.__len__
        own = [numbers[task.name] for task in declared]
        needs = [tuple([numbers[name] for name in task.upstream_names]) for task in declared]
        numbers.default_factory = None
        upstream += [None] * (len(numbers) - len(upstream))
        for number, needed in zip(own, needs, strict=True):
            upstream[number] = needed
        return Edges(numbers, upstream)

    def numbers_of(self, declared: Iterable[TaskDeclaration]) -> Mapping[str, int]:
        """Return the numbers of tasks by their names, in declared order."""
        number_of = self.numbers
        return {(name := task.name): number_of[name] for task in declared}

    @cached_property
    def names(self) -> list[str]:
        """The names in the order of their numbers."""
        return list(self.numbers)

    def closure(self, target: str) -> Closure:
        """Return everything upstream of a declared task."""
        reached, _ = self._reach(target)
        # Sorting keeps the order of the search within a level.
        ordered = sorted(
            [number for number in reached if self.upstream[number] is not None],
            key=self.levels.__getitem__,
        )
        index_of = dict(zip(ordered, range(len(ordered)), strict=True))
        return Closure(
            names=tuple([self.names[number] for number in ordered]),
            upstream=tuple(
                [
                    tuple(
                        [
                            index_of[upstream]
                            for upstream in self.upstream[number] or ()
                            if upstream in index_of
                        ]
                    )
                    for number in ordered
                ]
            ),
            missing=self._missing(ordered) if len(ordered) < len(reached) else {},
        )

    def shortest_paths_to_unresolved(self, target: str) -> dict[str, list[str]]:
        """Return a shortest path to every unresolved name of a closure.

        A path is [target, ..., the task that needs the name, the name].
        """
        reached, found_by = self._reach(target)
        unresolved = [number for number in reached if self.upstream[number] is None]
        return {
            self.names[number]: [self.names[step] for step in _path_back(number, found_by)][::-1]
            for number in unresolved
        }

    def missing(self, among: Iterable[str]) -> dict[str, tuple[str, ...]]:
        """Return undeclared names -> those `among` the declared tasks that need them."""
        return self._missing([self.numbers[name] for name in among])

    def without_order(self, among: Iterable[str]) -> tuple[str, ...]:
        """Return those `among` the declared tasks that are on a cycle, or upstream of one."""
        return tuple([name for name in among if self.levels[self.numbers[name]] == _NO_LEVEL])

    @property
    def has_cycle(self) -> bool:
        return _NO_LEVEL in self.levels

    @cached_property
    def levels(self) -> list[int]:
        """For each task, the length of the longest path from a declared task without upstreams.

        Computed from the sinks, because so the edges are followed in the direction in which they
        are stored.
        """
        needed_by = [0] * len(self.upstream)
        for upstream in self.upstream:
            for needed in upstream or ():
                needed_by[needed] += 1
        order = [number for number, count in enumerate(needed_by) if not count]
        for number in order:
            for needed in self.upstream[number] or ():
                needed_by[needed] -= 1
                if not needed_by[needed]:
                    order.append(needed)
        levels = [_NO_LEVEL] * len(self.upstream)
        for number in reversed(order):
            upstream = self.upstream[number]
            levels[number] = (
                _BELOW_EVERY_TASK
                if upstream is None
                else 1 + max([levels[needed] for needed in upstream], default=-1)
            )
        return levels

    def _reach(self, target: str) -> tuple[list[int], dict[int, int]]:
        """Return the closure with its unresolved names, nearest first, and what led to each."""
        start = self.numbers[target]
        reached = [start]
        found_by = {start: start}
        for number in reached:
            for needed in self.upstream[number] or ():
                if needed not in found_by:
                    found_by[needed] = number
                    reached.append(needed)
        return reached, found_by

    def _missing(self, among: Iterable[int]) -> dict[str, tuple[str, ...]]:
        missing: dict[int, list[int]] = {}
        for number in among:
            for needed in self.upstream[number] or ():
                if self.upstream[needed] is None:
                    missing.setdefault(needed, []).append(number)
        return {
            self.names[number]: tuple([self.names[user] for user in needed_by])
            for number, needed_by in missing.items()
        }


def _path_back(number: int, found_by: dict[int, int]) -> Iterator[int]:
    yield number
    while found_by[number] != number:
        number = found_by[number]
        yield number
