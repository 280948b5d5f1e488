"""Edges: who needs whom, by number, and what follows from it: closures, levels, and whether there is an order.

Law: edges never change; what is declared next makes others. A name is numbered when it is first heard of, as a task or as
somebody's upstream, and keeps its number in all edges that are made from these. So a task that is declared or taken out
changes its own edges and nobody else's, and what did not change is shared. No result depends on a number.

They are tuples of numbers, because networkx needs five times as long to order a part of a graph and 50 MB more to hold
100,000 tasks. It finds the cycles, which it does better: see `cycles`.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from cordyna_core.contract.declaration import TaskDeclaration

_NO_LEVEL: Final = -2
_BELOW_EVERY_TASK: Final = -1
_OPEN, _CLOSED = 1, 2


@dataclass(frozen=True, slots=True)
class Closure:
    """A task and everything upstream of it, in topological order, the target last.

    The order is by level (the longest way from a task without upstreams): what runs at the same time stands together, so
    that it shares pages and guardians. Within a level it is the order in which a walk from the target finds them, so it
    depends only on what is declared. `upstream` are indexes into `names`; `missing`: unresolved name -> who needs it.
    """

    names: tuple[str, ...]
    upstream: tuple[tuple[int, ...], ...]
    missing: Mapping[str, tuple[str, ...]]


class Edges:
    """Of each name the numbers of its upstreams in declared order, or None when nobody declares it."""

    def __init__(
        self,
        numbers: Mapping[str, int] | None = None,
        upstream: Sequence[tuple[int, ...] | None] = (),
    ) -> None:
        self._numbers: Final = numbers or {}
        self._upstream: Final = upstream

    def changed(self, gone: Iterable[str], declared: Sequence[TaskDeclaration]) -> "Edges":
        """Without the tasks that are `gone`, and with those that are `declared`."""
        numbers: defaultdict[str, int] = defaultdict(None, self._numbers)
        upstream = list(self._upstream)
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

    def closure(self, target: str) -> Closure:
        """Everything upstream of a declared task."""
        walked, _ = self._walk(target)
        # Sorting keeps the order of the walk within a level.
        found = sorted(
            [number for number in walked if self._upstream[number] is not None],
            key=self._levels.__getitem__,
        )
        index_of = dict(zip(found, range(len(found)), strict=True))
        return Closure(
            names=tuple([self._names[number] for number in found]),
            upstream=tuple(
                [
                    tuple(
                        [
                            index_of[each]
                            for each in self._upstream[number] or ()
                            if each in index_of
                        ]
                    )
                    for number in found
                ]
            ),
            missing=self._missing(found) if len(found) < len(walked) else {},
        )

    def ways_down(self, target: str) -> dict[str, list[str]]:
        """For every unresolved name of a closure, a shortest way to it: [target, ..., who needs it, name]."""
        walked, found_by = self._walk(target)
        unresolved = [number for number in walked if self._upstream[number] is None]
        return {
            self._names[number]: [self._names[step] for step in _back(number, found_by)][::-1]
            for number in unresolved
        }

    def missing(self, among: Iterable[str]) -> dict[str, tuple[str, ...]]:
        """Names that nobody declares -> those `among` the declared tasks that need them."""
        return self._missing([self._numbers[name] for name in among])

    def has_order(self, above: Iterable[str]) -> bool:
        """Whether no task of `above`, and nothing upstream of one, needs itself. Each is looked at once."""
        looked = bytearray(len(self._upstream))
        todo = [self._numbers[name] for name in above]
        while todo:
            number = todo[-1]
            if looked[number]:
                # All that stood above it has been looked at.
                looked[number] = _CLOSED
                todo.pop()
                continue
            looked[number] = _OPEN
            for needed in self._upstream[number] or ():
                if looked[needed] == _OPEN:
                    return False
                if not looked[needed]:
                    todo.append(needed)
        return True

    def without_order(self, among: Iterable[str]) -> tuple[str, ...]:
        """Those `among` the declared tasks that are on a cycle, or upstream of one."""
        return tuple([name for name in among if self._levels[self._numbers[name]] == _NO_LEVEL])

    @cached_property
    def _names(self) -> list[str]:
        return list(self._numbers)

    @cached_property
    def _levels(self) -> list[int]:
        """For each task the length of the longest way from one without upstreams that somebody declares.

        Peeled from those that nobody needs, because so the edges are followed in the direction in which they are kept.
        """
        needed_by = [0] * len(self._upstream)
        for upstream in self._upstream:
            for needed in upstream or ():
                needed_by[needed] += 1
        order = [number for number, count in enumerate(needed_by) if not count]
        for number in order:
            for needed in self._upstream[number] or ():
                needed_by[needed] -= 1
                if not needed_by[needed]:
                    order.append(needed)
        levels = [_NO_LEVEL] * len(self._upstream)
        for number in reversed(order):
            upstream = self._upstream[number]
            levels[number] = (
                _BELOW_EVERY_TASK
                if upstream is None
                else 1 + max([levels[each] for each in upstream], default=-1)
            )
        return levels

    def _walk(self, target: str) -> tuple[list[int], dict[int, int]]:
        """The closure with its unresolved names, nearest first, and by whom each was found."""
        start = self._numbers[target]
        found = [start]
        found_by = {start: start}
        for number in found:
            for needed in self._upstream[number] or ():
                if needed not in found_by:
                    found_by[needed] = number
                    found.append(needed)
        return found, found_by

    def _missing(self, among: Iterable[int]) -> dict[str, tuple[str, ...]]:
        missing: dict[int, list[int]] = {}
        for number in among:
            for needed in self._upstream[number] or ():
                if self._upstream[needed] is None:
                    missing.setdefault(needed, []).append(number)
        return {
            self._names[number]: tuple([self._names[each] for each in needed_by])
            for number, needed_by in missing.items()
        }


def _back(number: int, found_by: dict[int, int]) -> Iterator[int]:
    yield number
    while found_by[number] != number:
        number = found_by[number]
        yield number
