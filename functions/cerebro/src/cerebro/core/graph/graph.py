"""Graph: all accepted declarations, folded. Who has which task, and what each needs.

Law: a graph never changes; an accepted declaration makes another, of the next generation. An accepted graph has no
cycle, so every closure has an order. Upstreams that nobody declares are kept: they are *unresolved*, not wrong.

The next graph shares with the one before it what did not change: a declaration costs what its own tasks cost, and copies
of a few dictionaries. How tasks hang together is in `edges`.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final, NamedTuple, TypeVar

from cerebro.core.graph.edges import Closure, Edges
from cordyna_core.contract.declaration import ServerDeclared, TaskDeclaration
from cordyna_core.contract.ids import derived_id


@dataclass(frozen=True, slots=True)
class Head:
    """What is accepted: for each server the version (content hash) of its declaration. Written as one, conditionally."""

    generation: int = 0
    servers: Mapping[str, str] = field(default_factory=dict)


class OwnedTask(NamedTuple):
    """A task and the server that owns it."""

    server: str
    task: TaskDeclaration


class Graph:
    """Immutable from outside. Make the first with `Graph.of`, the next with `with_servers`: what did not change is shared."""

    def __init__(
        self,
        generation: int,
        declarations: Mapping[str, ServerDeclared],
        tasks: Mapping[str, OwnedTask],
        edges: Edges,
        versions: "_Versions",
    ) -> None:
        self.generation: Final = generation
        self.declarations: Final = declarations
        self._tasks: Final = tasks
        self._edges: Final = edges
        self._versions: Final = versions

    @staticmethod
    def of(declarations: Mapping[str, ServerDeclared], generation: int = 0) -> "Graph":
        """Fold accepted declarations: server -> what it declared."""
        return _NOTHING.with_servers(declarations, generation)

    def with_servers(
        self,
        declarations: Mapping[str, ServerDeclared],
        generation: int | None = None,
        versions: Mapping[str, str] | None = None,
    ) -> "Graph":
        """Exactly these servers, as the next generation unless another is told. What is the same object as before costs nothing."""
        before = self.declarations
        old = [
            server
            for server, declared in before.items()
            if declared is not declarations.get(server)
        ]
        new = [
            server
            for server, declared in declarations.items()
            if declared is not before.get(server)
        ]
        gone = [task.name for server in old for task in before[server].tasks]
        come = [OwnedTask(server, task) for server in new for task in declarations[server].tasks]
        return Graph(
            self.generation + 1 if generation is None else generation,
            # By name, so that the same declarations make the same graph in whatever order they came.
            dict(sorted(declarations.items())),
            {**_without(self._tasks, gone), **{placed.task.name: placed for placed in come}},
            self._edges.changed(gone, [placed.task for placed in come]),
            _Versions(
                {**_without(self._versions.servers, old), **(versions or {})},
                _without(self._versions.tasks, gone),
            ),
        )

    def __len__(self) -> int:
        return len(self._tasks)

    def __contains__(self, name: object) -> bool:
        return name in self._tasks

    def __iter__(self) -> Iterator[str]:
        return (task.name for declared in self.declarations.values() for task in declared.tasks)

    @cached_property
    def head(self) -> Head:
        return Head(
            self.generation,
            {server: self.version_of_server(server) for server in self.declarations},
        )

    def __getitem__(self, name: str) -> OwnedTask:
        """Raises KeyError when nobody declares it."""
        return self._tasks[name]

    def get(self, name: str) -> OwnedTask | None:
        return self._tasks.get(name)

    def server_of(self, name: str) -> str | None:
        """The server that owns a task, or None when nobody declares it."""
        placed = self._tasks.get(name)
        return placed.server if placed else None

    def upstream_of(self, name: str) -> tuple[str, ...]:
        """What a task needs; nothing when nobody declares it."""
        placed = self._tasks.get(name)
        return placed.task.upstream_names if placed else ()

    @cached_property
    def wanted_fresh(self) -> frozenset[str]:
        """The tasks whose results somebody is content to reuse for a while."""
        return frozenset(
            name
            for placed in self._tasks.values()
            if placed.task.upstream
            for name in placed.task.within_s
        )

    @cached_property
    def unresolved(self) -> Mapping[str, tuple[str, ...]]:
        """Names that nobody declares -> the tasks that need them."""
        return self._edges.missing(self)

    @cached_property
    def crons(self) -> tuple[OwnedTask, ...]:
        """The tasks that run by themselves."""
        tasks = (
            (server, task)
            for server, declared in self.declarations.items()
            for task in declared.tasks
        )
        return tuple(OwnedTask(server, task) for server, task in tasks if task.cron is not None)

    def version_of_server(self, server: str) -> str:
        """The hash of what a server declared. Raises KeyError when it declared nothing."""
        version = self._versions.servers.get(server)
        if version is None:
            version = self._versions.servers[server] = version_of(self.declarations[server])
        return version

    def version_of_task(self, name: str) -> str:
        """The hash of a task's server and declaration: a result made under another one is not fresh."""
        version = self._versions.tasks.get(name)
        if version is None:
            server, task = self._tasks[name]
            version = self._versions.tasks[name] = derived_id(
                "task", server, task.model_dump_json(exclude_defaults=True)
            )
        return version

    def closure(self, target: str) -> Closure:
        """Raises KeyError when nobody declares `target`."""
        return self._edges.closure(self._tasks[target].task.name)

    def ways_down(self, target: str) -> dict[str, list[str]]:
        """For every unresolved name of a closure, a shortest way to it: [target, ..., who needs it, name]."""
        return self._edges.ways_down(target)

    def has_order(self, above: Iterable[str]) -> bool:
        """Whether none of these tasks, and nothing upstream of them, needs itself."""
        return self._edges.has_order(above)

    @cached_property
    def without_order(self) -> tuple[str, ...]:
        """The tasks on a cycle, or upstream of one. Empty in every accepted graph."""
        return self._edges.without_order(self)


@dataclass(frozen=True, slots=True)
class _Versions:
    """The hashes that were asked for: they take long, so they are made late and kept as long as what they are of."""

    servers: dict[str, str]
    tasks: dict[str, str]


T = TypeVar("T")


def _without(there: Mapping[str, T], gone: Iterable[str]) -> dict[str, T]:
    left = dict(there)
    for name in gone:
        left.pop(name, None)
    return left


_NOTHING: Final = Graph(0, {}, {}, Edges(), _Versions({}, {}))


def version_of(declared: ServerDeclared) -> str:
    """The hash of a declaration's content, its revision included: what is accepted is named by it."""
    return derived_id("declaration", content_of(declared))


def content_of(declared: ServerDeclared) -> str:
    """The declaration as JSON without its `meta`, defaults left out."""
    return declared.model_dump_json(exclude_defaults=True, exclude={"meta"})
