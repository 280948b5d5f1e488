"""Graph: all accepted declarations together: which server owns which task, and what each needs.

Invariant: a graph is immutable; an accepted declaration makes another one, of the next generation.
An accepted graph has no cycle, so every closure has an order. Upstreams that no server declares are
kept: they are unresolved, not wrong.

The next graph shares with the one before what did not change: a declaration costs as much as its
own tasks, and copies of a few dictionaries. The edges are in `edges`.
"""

from collections.abc import Iterable, Iterator, Mapping
from copy import copy
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final, NamedTuple, TypeVar

from cerebro.core.graph.edges import Closure, Edges
from cordyna_core.contract.declaration import (
    FIELDS_WITHOUT_EFFECT_ON_RESULTS,
    ServerDeclared,
    TaskDeclaration,
)
from cordyna_core.contract.ids import content_id
from cordyna_core.contract.secret_params import has_secrets, secret_names


@dataclass(frozen=True, slots=True)
class Head:
    """What is accepted: for each server the version (content hash) of its declaration.

    Written as one item, conditionally.
    """

    generation: int = 0
    servers: Mapping[str, str] = field(default_factory=dict)


class OwnedTask(NamedTuple):
    """A task and the server that owns it."""

    server: str
    task: TaskDeclaration


class Graph:
    """Immutable from outside. `Graph.of` makes the first one, `with_servers` the next."""

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
        self._secrets: Final[dict[str, bool]] = {}
        self.watched: frozenset[str] = frozenset()
        """The marks of open incidents, `kind:subject`."""

    @staticmethod
    def of(declarations: Mapping[str, ServerDeclared], generation: int = 0) -> "Graph":
        """Return the graph of accepted declarations: server -> what it declared."""
        return _EMPTY.with_servers(declarations, generation)

    def with_servers(
        self,
        declarations: Mapping[str, ServerDeclared],
        generation: int | None = None,
        versions: Mapping[str, str] | None = None,
    ) -> "Graph":
        """Return the graph of exactly these servers, as the next generation unless one is given.

        A declaration that is the same object as before costs nothing. `versions` are those under
        which the declarations are stored; they are computed if they are not given.
        """
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
        added = [OwnedTask(server, task) for server in new for task in declarations[server].tasks]
        return Graph(
            self.generation + 1 if generation is None else generation,
            # By name, so that the same declarations make the same graph in any order.
            dict(sorted(declarations.items())),
            {**_without(self._tasks, gone), **{owned.task.name: owned for owned in added}},
            self._edges.changed(gone, [owned.task for owned in added]),
            _Versions(
                {**_without(self._versions.servers, old), **(versions or {})},
                _without(self._versions.tasks, gone),
            ),
        ).with_watched(self.watched)

    def __len__(self) -> int:
        return len(self._tasks)

    def __contains__(self, name: object) -> bool:
        return name in self._tasks

    def __iter__(self) -> Iterator[str]:
        return (task.name for declared in self.declarations.values() for task in declared.tasks)

    def with_watched(self, watched: frozenset[str]) -> "Graph":
        """Return this graph with other marks of open incidents; they are not part of its head."""
        if watched == self.watched:
            return self
        other = copy(self)
        other.watched = watched
        return other

    @cached_property
    def head(self) -> Head:
        return Head(
            self.generation,
            {server: self.version_of_server(server) for server in self.declarations},
        )

    def __getitem__(self, name: str) -> OwnedTask:
        """Raises KeyError if no server declares it."""
        return self._tasks[name]

    def get(self, name: str) -> OwnedTask | None:
        return self._tasks.get(name)

    def server_of(self, name: str) -> str | None:
        """Return the server that owns a task; None: no server declares it."""
        owned = self._tasks.get(name)
        return owned.server if owned else None

    def upstream_of(self, name: str) -> tuple[str, ...]:
        """Return what a task needs; nothing if no server declares it."""
        owned = self._tasks.get(name)
        return owned.task.upstream_names if owned else ()

    @cached_property
    def wanted_fresh(self) -> frozenset[str]:
        """The tasks of which some edge accepts a reused result."""
        return frozenset(
            name
            for owned in self._tasks.values()
            if owned.task.upstream
            for name in owned.task.within_s
        )

    def takes_secrets(self, name: str) -> bool:
        """Return whether a parameter of a declared task is a secret."""
        known = self._secrets.get(name)
        if known is None:
            known = self._secrets[name] = has_secrets(self._tasks[name].task.params_schema)
        return known

    @cached_property
    def secret_names(self) -> frozenset[str]:
        """The names of parameters, and of fields within them, that are secrets of some task."""
        return frozenset[str]().union(
            *(
                secret_names(owned.task.params_schema or {})
                for name, owned in self._tasks.items()
                if self.takes_secrets(name)
            )
        )

    @cached_property
    def restricted(self) -> frozenset[str]:
        """The tasks on which not every server may depend."""
        return frozenset(
            name for name, owned in self._tasks.items() if owned.task.consumers is not None
        )

    @cached_property
    def unresolved(self) -> Mapping[str, tuple[str, ...]]:
        """Undeclared names -> the tasks that need them."""
        return self._edges.missing(self)

    @cached_property
    def crons(self) -> tuple[OwnedTask, ...]:
        """The tasks with a cron."""
        tasks = (
            (server, task)
            for server, declared in self.declarations.items()
            for task in declared.tasks
        )
        return tuple(OwnedTask(server, task) for server, task in tasks if task.cron is not None)

    def version_of_server(self, server: str) -> str:
        """Return the hash of what a server declared. Raises KeyError if it declared nothing."""
        version = self._versions.servers.get(server)
        if version is None:
            version = self._versions.servers[server] = version_of(self.declarations[server])
        return version

    def version_of_task(self, name: str) -> str:
        """Return the hash of a task's server and declaration: a result of another is not reused."""
        version = self._versions.tasks.get(name)
        if version is None:
            server, task = self._tasks[name]
            version = self._versions.tasks[name] = content_id(
                "task",
                server,
                task.model_dump_json(
                    exclude_defaults=True, exclude=set(FIELDS_WITHOUT_EFFECT_ON_RESULTS)
                ),
            )
        return version

    def closure(self, target: str) -> Closure:
        """Raises KeyError if no server declares `target`."""
        return self._edges.closure(self._tasks[target].task.name)

    def shortest_paths_to_unresolved(self, target: str) -> dict[str, list[str]]:
        """Return a shortest path to every unresolved name of a closure, both ends included."""
        return self._edges.shortest_paths_to_unresolved(target)

    def has_order(self, above: Iterable[str]) -> bool:
        """Return whether none of these tasks, and nothing upstream of them, needs itself."""
        return self._edges.has_order(above)

    @cached_property
    def without_order(self) -> tuple[str, ...]:
        """The tasks on a cycle, or upstream of one. Empty in every accepted graph."""
        return self._edges.without_order(self)


@dataclass(frozen=True, slots=True)
class _Versions:
    """Hashes are slow to compute: they are computed when needed, and shared with the next graph."""

    servers: dict[str, str]
    tasks: dict[str, str]


T = TypeVar("T")


def _without(values: Mapping[str, T], gone: Iterable[str]) -> dict[str, T]:
    rest = dict(values)
    for name in gone:
        rest.pop(name, None)
    return rest


_EMPTY: Final = Graph(0, {}, {}, Edges(), _Versions({}, {}))


def version_of(declared: ServerDeclared) -> str:
    """Return the hash of a declaration's content, with its revision: it names what is accepted."""
    return content_id("declaration", content_of(declared))


def content_of(declared: ServerDeclared) -> str:
    """Return the declaration as JSON without its `meta`, defaults left out."""
    return declared.model_dump_json(exclude_defaults=True, exclude={"meta"})
