"""Graph: all accepted declarations, folded. Who has which task, and what each needs.

Law: a graph never changes; an accepted declaration makes another, of the next generation. An accepted graph has no
cycle, so every closure has an order. Upstreams that nobody declares are kept: they are *unresolved*, not wrong.

Tasks are numbered and the edges are tuples of numbers, because networkx needs five times as long to order a part of a
graph and 50 MB more to hold 100,000 tasks. It finds the cycles, which it does better: see `cycles`.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final, NamedTuple

from cordyna_core.contract.declared import ServerDeclared, TaskDeclaration
from cordyna_core.contract.names import derived_id

_NO_LEVEL: Final = -1


@dataclass(frozen=True, slots=True)
class Head:
    """What is accepted: for each server the version (content hash) of its declaration. Written as one, conditionally."""

    generation: int = 0
    servers: Mapping[str, str] = field(default_factory=dict)


class Placed(NamedTuple):
    """A task and the server that owns it."""

    server: str
    task: TaskDeclaration


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


class Graph:
    """Immutable from outside. Make the first with `Graph.of`, the next with `with_servers`."""

    def __init__(self, declarations: Mapping[str, ServerDeclared], generation: int) -> None:
        self.generation: Final = generation
        self.declarations: Final[Mapping[str, ServerDeclared]] = dict(declarations)
        # By name, so that the same declarations make the same graph in whatever order they came.
        tasks = [Placed(server, task) for server in sorted(self.declarations) for task in self.declarations[server].tasks]
        self._tasks: Final = {placed.task.name: placed for placed in tasks}
        self._names: Final = list(self._tasks)
        self._number: Final = {name: number for number, name in enumerate(self._names)}
        self._upstream: Final[list[tuple[int, ...]]] = []
        self._unresolved_of: Final[dict[int, tuple[str, ...]]] = {}
        self._versions: Final[dict[str, str]] = {}
        for number, placed in enumerate(self._tasks.values()):
            upstream = placed.task.upstream_names
            known = tuple([self._number[name] for name in upstream if name in self._number])
            self._upstream.append(known)
            if len(known) < len(upstream):
                self._unresolved_of[number] = tuple(name for name in upstream if name not in self._number)

    @classmethod
    def of(cls, declarations: Mapping[str, ServerDeclared], generation: int = 0) -> "Graph":
        """Fold accepted declarations: server -> what it declared."""
        return cls(declarations, generation)

    def with_servers(self, declarations: Mapping[str, ServerDeclared]) -> "Graph":
        """The next generation: exactly these servers."""
        return Graph(declarations, self.generation + 1)

    def __len__(self) -> int:
        return len(self._names)

    def __contains__(self, name: object) -> bool:
        return name in self._number

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    @cached_property
    def head(self) -> Head:
        return Head(self.generation, {server: version_of(declared) for server, declared in self.declarations.items()})

    def __getitem__(self, name: str) -> Placed:
        """Raises KeyError when nobody declares it."""
        return self._tasks[name]

    def get(self, name: str) -> Placed | None:
        return self._tasks.get(name)

    def server_of(self, name: str) -> str | None:
        """The server that owns a task, or None when nobody declares it."""
        placed = self._tasks.get(name)
        return placed.server if placed else None

    @cached_property
    def wanted_fresh(self) -> frozenset[str]:
        """The tasks whose results somebody is content to reuse for a while."""
        return frozenset(name for placed in self._tasks.values() if placed.task.upstream for name in placed.task.within_s)

    @cached_property
    def unresolved(self) -> Mapping[str, tuple[str, ...]]:
        """Names that nobody declares -> the tasks that need them."""
        return self._who_needs_what_is_missing(range(len(self._names)))

    @cached_property
    def crons(self) -> tuple[Placed, ...]:
        """The tasks that run by themselves."""
        return tuple(placed for placed in self._tasks.values() if placed.task.cron is not None)

    def version_of_task(self, name: str) -> str:
        """The hash of a task's server and declaration: a result made under another one is not fresh."""
        version = self._versions.get(name)
        if version is None:
            server, task = self._tasks[name]
            version = self._versions[name] = derived_id("task", server, task.model_dump_json(exclude_defaults=True))
        return version

    def closure(self, target: str) -> Closure:
        """Raises KeyError when nobody declares `target`."""
        found, _ = self._walk(target)
        # Sorting keeps the order of the walk within a level.
        found.sort(key=self._levels.__getitem__)
        index_of = dict(zip(found, range(len(found)), strict=True))
        return Closure(
            names=tuple([self._names[number] for number in found]),
            upstream=tuple([tuple([index_of[needed] for needed in self._upstream[number]]) for number in found]),
            missing=self._who_needs_what_is_missing(found),
        )

    def ways_down(self, target: str) -> dict[str, list[str]]:
        """For every unresolved name of a closure, a shortest way to it: [target, ..., who needs it, name]."""
        found, found_by = self._walk(target)
        ways: dict[str, list[str]] = {}
        for number in found:
            for missing in self._unresolved_of.get(number, ()):
                if missing not in ways:
                    ways[missing] = [missing, *(self._names[step] for step in _back(number, found_by))][::-1]
        return ways

    @cached_property
    def without_order(self) -> tuple[str, ...]:
        """The tasks on a cycle, or upstream of one. Empty in every accepted graph."""
        return tuple(name for name, level in zip(self._names, self._levels, strict=True) if level == _NO_LEVEL)

    def _walk(self, target: str) -> tuple[list[int], dict[int, int]]:
        """The closure, nearest first, and by whom each was found."""
        start = self._number[target]
        found = [start]
        found_by = {start: start}
        for number in found:
            for needed in self._upstream[number]:
                if needed not in found_by:
                    found_by[needed] = number
                    found.append(needed)
        return found, found_by

    @cached_property
    def _levels(self) -> list[int]:
        """For each task the length of the longest way from one without upstreams.

        Peeled from those that nobody needs, because so the edges are followed in the direction in which they are kept.
        """
        needed_by = [0] * len(self._names)
        for upstream in self._upstream:
            for needed in upstream:
                needed_by[needed] += 1
        order = [number for number, count in enumerate(needed_by) if not count]
        for number in order:
            for needed in self._upstream[number]:
                needed_by[needed] -= 1
                if not needed_by[needed]:
                    order.append(needed)
        levels = [_NO_LEVEL] * len(self._names)
        for number in reversed(order):
            levels[number] = 1 + max([levels[needed] for needed in self._upstream[number]], default=-1)
        return levels

    def _who_needs_what_is_missing(self, among: "range | list[int]") -> dict[str, tuple[str, ...]]:
        missing: dict[str, list[str]] = {}
        if self._unresolved_of:
            for number in among:
                for name in self._unresolved_of.get(number, ()):
                    missing.setdefault(name, []).append(self._names[number])
        return {name: tuple(needed_by) for name, needed_by in missing.items()}


def _back(number: int, found_by: dict[int, int]) -> Iterator[int]:
    yield number
    while found_by[number] != number:
        number = found_by[number]
        yield number


def version_of(declared: ServerDeclared) -> str:
    """The hash of a declaration's content, its revision included: what is accepted is named by it."""
    return derived_id("declaration", content_of(declared))


def content_of(declared: ServerDeclared) -> str:
    """The declaration as JSON without its `meta`, defaults left out."""
    return declared.model_dump_json(exclude_defaults=True, exclude={"meta"})
