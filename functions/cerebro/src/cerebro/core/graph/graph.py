"""Graph: all accepted declarations together: which server owns which task, and what each needs.

Invariant: a graph is immutable; an accepted declaration makes another one, of the next generation.
An accepted graph has no cycle, so every closure has an order. Upstreams that no server declares are
kept: they are unresolved, not wrong.

The next graph shares with the one before what did not change: a declaration costs as much as its
own tasks, and copies of a few dictionaries. The edges are in `edges`.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from copy import copy
from functools import cached_property
from itertools import compress
from typing import Final, TypeVar
from weakref import ref

from cerebro.core.graph.edges import Closure, Edges
from cerebro.core.graph.owned_task import Features, OwnedTask, features_of
from cerebro.core.graph.users import NO_USERS, Names, Users
from cerebro.core.graph.versions import Head, Versions, version_of, version_of_task
from cordyna_core.contract.declaration import ServerDeclared

_MANY: Final = 16
"""Of this part of a graph, the servers are not looked up: nearly all of them have a task in it."""


class Graph:
    """Immutable from outside. `Graph.of` makes the first one, `with_servers` the next."""

    def __init__(
        self,
        generation: int,
        declarations: Mapping[str, ServerDeclared],
        tasks: Mapping[str, OwnedTask],
        edges: Edges,
        order: Mapping[str, Mapping[str, int]],
        features: Mapping[str, Features],
        versions: Versions,
    ) -> None:
        self.generation: Final = generation
        self.declarations: Final = declarations
        self.tasks: Final = tasks
        self._edges: Final = edges
        self._users: Users | None = None
        self._order: Final = order
        self._features: Final = features
        self._versions: Final = versions
        self._next: Callable[[], Graph | None] = lambda: None
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
        known: Mapping[str, str] | None = None,
    ) -> "Graph":
        """Return the graph of exactly these servers, as the next generation unless one is given.

        A declaration that is the same object as before costs nothing. `versions` are those under
        which the declarations are stored; they are computed if they are not given, except those
        that are `known`. Who decides and who stores ask for the same graph, one after the other:
        they get the same object.
        """
        generation = self.generation + 1 if generation is None else generation
        made = self._next()
        if made is None or not made.holds(generation, declarations, versions):
            made = self._made(generation, declarations, versions or known or {})
            made.watched = self.watched
            self._next = ref(made)
        return made.with_watched(self.watched)

    def holds(
        self,
        generation: int,
        declarations: Mapping[str, ServerDeclared],
        versions: Mapping[str, str] | None,
    ) -> bool:
        """Return whether this is the graph of that generation, of the very same declarations."""
        return (
            self.generation == generation
            and self.declarations.keys() == declarations.keys()
            and all(self.declarations[server] is declarations[server] for server in declarations)
            and (versions is None or self.head.servers == versions)
        )

    def with_watched(self, watched: frozenset[str]) -> "Graph":
        """Return this graph with other marks of open incidents; they are not part of its head."""
        if watched == self.watched:
            return self
        other = copy(self)
        other.watched = watched
        return other

    def with_users_anew(self) -> "Graph":
        """Return this graph with users that are not made from those of the graph before."""
        return Graph(
            self.generation,
            self.declarations,
            self.tasks,
            self._edges,
            self._order,
            self._features,
            self._versions,
        )

    def _made(
        self,
        generation: int,
        declarations: Mapping[str, ServerDeclared],
        versions: Mapping[str, str],
    ) -> "Graph":
        before = self.declarations
        old = _differing(before, declarations)
        new = _differing(declarations, before)
        gone = [task.name for server in old for task in before[server].tasks]
        added = [OwnedTask(server, task) for server in new for task in declarations[server].tasks]
        tasks = _without(self.tasks, gone)
        tasks.update((owned.task.name, owned) for owned in added)
        edges = self._edges.changed(gone, [owned.task for owned in added])
        made = Graph(
            generation,
            # By name, so that the same declarations make the same graph in any order.
            dict(sorted(declarations.items())),
            tasks,
            edges,
            _without(self._order, old)
            | {server: edges.numbers_of(declarations[server].tasks) for server in new},
            _without(self._features, old)
            | {server: features_of(declarations[server]) for server in new},
            Versions(
                _without(self._versions.servers, old) | dict(versions),
                _without(self._versions.tasks, gone),
            ),
        )
        if self._users is not None:
            changed = [*gone, *[owned.task.name for owned in added]]
            restricted = {*self._restricted_of(old), *made._restricted_of(new)}
            made._users = made._made_users(self._users, changed, restricted)
        return made

    def _restricted_of(self, servers: Iterable[str]) -> Iterator[str]:
        return (name for server in servers for name in self._features[server].restricted)

    def _made_users(
        self, before: Users, declared: Collection[str], restricted: Collection[str] = ()
    ) -> Users:
        is_forbidden = self._is_forbidden if self.restricted else None
        return before.changed(self._edges, declared, restricted, is_forbidden)

    def _is_forbidden(self, name: str) -> bool:
        """Return whether a task has an upstream on which it may not depend."""
        owned = self.tasks.get(name)
        used = map(self.tasks.get, owned.task.upstream_names) if owned else ()
        return owned is not None and not all(
            upstream is None or upstream.may_be_used_by(owned.server) for upstream in used
        )

    def __len__(self) -> int:
        return len(self.tasks)

    def __contains__(self, name: object) -> bool:
        return name in self.tasks

    def __iter__(self) -> Iterator[str]:
        return (task.name for declared in self.declarations.values() for task in declared.tasks)

    def __getitem__(self, name: str) -> OwnedTask:
        """Raises KeyError if no server declares it."""
        return self.tasks[name]

    def get(self, name: str) -> OwnedTask | None:
        return self.tasks.get(name)

    def server_of(self, name: str) -> str | None:
        """Return the server that owns a task; None: no server declares it."""
        owned = self.tasks.get(name)
        return owned.server if owned else None

    def upstream_of(self, name: str) -> tuple[str, ...]:
        """Return what a task needs; nothing if no server declares it."""
        owned = self.tasks.get(name)
        return owned.task.upstream_names if owned else ()

    def tasks_of(self, server: str) -> AbstractSet[str]:
        """Return the tasks of a server, in declared order. Raises KeyError if it has none."""
        return self._order[server].keys()

    def by_server(self, names: Names, without: Collection[str] = ()) -> Iterator[list[str]]:
        """Yield those of `names` that are declared, in the order of the graph, a list each server.

        Costs as much as the declarations of their servers. `without`: the servers whose tasks are
        left out.
        """
        marks = names.marks
        for server in sorted(self._servers_of(names.numbers).difference(without)):
            numbers = self._order[server]
            yield list(compress(numbers, map(marks.__getitem__, numbers.values())))

    def _servers_of(self, numbers: Sequence[int]) -> set[str]:
        """Return the servers of these names; if they are many, some of others, too."""
        if not numbers:
            return set()
        if len(numbers) * _MANY > len(self.tasks):
            return {*self.declarations}
        name, tasks = self._edges.names, self.tasks
        owned = [tasks.get(name[number]) for number in numbers]
        return {task.server for task in owned if task is not None}

    @property
    def users(self) -> Users:
        """Which tasks need each name. Made once, and from then on with each next graph."""
        if self._users is None:
            self._users = self._made_users(NO_USERS, self.tasks)
        return self._users

    def closure(self, target: str) -> Closure:
        """Raises KeyError if no server declares `target`."""
        return self._edges.closure(self.tasks[target].task.name)

    def shortest_paths_to_unresolved(self, target: str) -> dict[str, list[str]]:
        """Return a shortest path to every unresolved name of a closure, both ends included."""
        return self._edges.shortest_paths_to_unresolved(target)

    @cached_property
    def unresolved(self) -> Mapping[str, tuple[str, ...]]:
        """Undeclared names -> the tasks that need them. Reads the whole graph."""
        return self._edges.missing(self)

    @property
    def has_cycle(self) -> bool:
        return self.users.ranks is None

    @cached_property
    def without_order(self) -> tuple[str, ...]:
        """The tasks on a cycle, or upstream of one. Empty in every accepted graph."""
        return self._edges.without_order(self)

    def features_of(self, server: str) -> Features:
        """Raises KeyError if the server declared nothing."""
        return self._features[server]

    def takes_secrets(self, name: str) -> bool:
        """Return whether a parameter of a declared task is a secret."""
        return name in self._features[self.tasks[name].server].taking_secrets

    @cached_property
    def secret_names(self) -> frozenset[str]:
        """The names of parameters, and of fields within them, that are secrets of some task."""
        return _union(features.secret_names for features in self._features.values())

    @cached_property
    def crons(self) -> tuple[OwnedTask, ...]:
        """The tasks with a cron."""
        return tuple(cron for server in self.declarations for cron in self._features[server].crons)

    @cached_property
    def wanted_fresh(self) -> frozenset[str]:
        """The tasks of which some edge accepts a reused result."""
        return _union(features.wanted_fresh for features in self._features.values())

    @cached_property
    def expected(self) -> frozenset[str]:
        """The tasks of whose output some edge expects a type."""
        return _union(features.expected for features in self._features.values())

    @cached_property
    def requiring(self) -> frozenset[str]:
        """The tasks with a parameter that has no default."""
        return _union(features.requiring for features in self._features.values())

    @cached_property
    def restricted(self) -> frozenset[str]:
        """The tasks on which not every server may depend."""
        return _union(features.restricted for features in self._features.values())

    @cached_property
    def deprecated(self) -> frozenset[str]:
        """The tasks that are deprecated."""
        return _union(features.deprecated for features in self._features.values())

    @cached_property
    def head(self) -> Head:
        return Head(
            self.generation,
            {server: self.version_of_server(server) for server in self.declarations},
        )

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
            version = self._versions.tasks[name] = version_of_task(self.tasks[name])
        return version


T = TypeVar("T")


def _differing(
    declarations: Mapping[str, ServerDeclared], others: Mapping[str, ServerDeclared]
) -> list[str]:
    """Return the servers whose declaration is not the same object in `others`."""
    return [
        server for server, declared in declarations.items() if declared is not others.get(server)
    ]


def _without(values: Mapping[str, T], gone: Iterable[str]) -> dict[str, T]:
    rest = dict(values)
    for name in gone:
        rest.pop(name, None)
    return rest


def _union(parts: Iterable[frozenset[str]]) -> frozenset[str]:
    return frozenset[str]().union(*parts)


_EMPTY: Final = Graph(0, {}, {}, Edges(), {}, {}, Versions({}, {}))
