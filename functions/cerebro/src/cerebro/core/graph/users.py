"""Users: which tasks need each name, and which edges wait for a declaration that is not there.

Invariant: they equal those made anew from the same tasks, whatever was declared before; so no
result depends on the order of declarations. The next graph's are made from those of the graph
before, at the price of what is declared, of its direct users, and of one copy of a dictionary.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from cerebro.core.graph.owned_task import OwnedTask

Tasks = Mapping[str, OwnedTask]

Paths = Mapping[str, str]
"""By name: the next one on a shortest path to its source, which leads to itself."""


@dataclass(frozen=True, slots=True)
class Users:
    """The edges of a graph, from upstream to downstream.

    Fields:
        of: name, declared or not -> the tasks that need it, sorted.
        unresolved: the names that are needed and that no server declares.
        forbidden: the tasks with an upstream on which they may not depend.
    """

    of: Mapping[str, tuple[str, ...]]
    unresolved: frozenset[str] = frozenset()
    forbidden: frozenset[str] = frozenset()

    def changed(
        self, gone: Sequence[OwnedTask], added: Sequence[OwnedTask], after: Tasks
    ) -> "Users":
        """Return the users in the tasks `after`: those of before, less `gone`, and `added`."""
        lost, won = set(_edges(gone)), set(_edges(added))
        declared = {owned.task.name for owned in (*gone, *added)}
        users = dict(self.of)
        for name, fewer in _by_upstream(lost - won).items():
            rest = [task for task in users[name] if task not in fewer]
            if rest:
                users[name] = tuple(rest)
            else:
                del users[name]
        for name, more in _by_upstream(won - lost).items():
            more.update(users.get(name, ()))
            users[name] = tuple(sorted(more))
        needed = declared.union([name for name, _ in lost ^ won])
        unresolved = {name for name in needed if name in users and name not in after}
        # An edge is allowed or not by its upstream, so the users of what changed are checked too.
        restricted = [
            owned.task.name for owned in (*gone, *added) if owned.task.consumers is not None
        ]
        checked = declared.union(*(users.get(name, ()) for name in restricted))
        forbidden = {name for name in checked if name in after and _is_forbidden(name, after)}
        return Users(
            users,
            self.unresolved.difference(needed) | unresolved,
            self.forbidden.difference(checked) | forbidden,
        )

    def downstream(self, sources: Iterable[str]) -> Paths:
        """Return the paths of everything at or downstream of `sources`, the sources included.

        Of several shortest paths it is that to the first source, then that through the first name.
        """
        paths = {source: source for source in sources}
        queue = list(paths)
        users = self.of
        for name in queue:
            for user in users.get(name, ()):
                if user not in paths:
                    paths[user] = name
                    queue.append(user)
        return paths


NO_USERS: Final = Users({})


def _edges(tasks: Iterable[OwnedTask]) -> Iterator[tuple[str, str]]:
    return ((upstream, task.name) for _, task in tasks for upstream in task.upstream_names)


def _by_upstream(edges: Iterable[tuple[str, str]]) -> Mapping[str, set[str]]:
    tasks: defaultdict[str, set[str]] = defaultdict(set)
    for upstream, task in edges:
        tasks[upstream].add(task)
    return tasks


def _is_forbidden(name: str, tasks: Tasks) -> bool:
    server, task = tasks[name]
    for upstream in task.upstream_names:
        used = tasks.get(upstream)
        # Most tasks are open to all; asking each of them would double the time.
        if used and used.task.consumers is not None and not used.may_be_used_by(server):
            return True
    return False
