"""Impact: which tasks of other servers a changed graph affects, and how.

Invariant: every task that would not be invoked as before is found, once, with its gravest effect
and a shortest path to what causes it.

Whether a task can be invoked depends on what is upstream of it, so only tasks downstream of a
change can be affected. What is downstream of an unresolved name, or of an edge that is not allowed,
is known of every graph (`core/graph/users.py`); it is walked again only for paths.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Final

from cerebro.core.declaration.changes import Change
from cerebro.core.graph.graph import Graph
from cerebro.core.graph.users import Names, Paths
from cerebro.core.validation.edge_access import forbidden_edges
from cordyna_core.contract.declaration import FIELDS_WITHOUT_EFFECT_ON_RESULTS

if TYPE_CHECKING:
    # Only a rehearsal loads the views.
    from cordyna_core.contract.views.rehearsal import Effect

_HARMLESS_FIELDS: Final = (FIELDS_WITHOUT_EFFECT_ON_RESULTS - {"consumers"}) | {
    "owner",
    "description",
    "timezone",
    "overlap",
}
"""Fields whose change affects no task."""

_NON_BREAKING_FIELDS: Final = _HARMLESS_FIELDS | {"consumers", "cron"}
"""Fields whose change affects no other task by itself."""


class Impact:
    """What the changes between two graphs affect; `after` was made from `before`."""

    def __init__(self, before: Graph, after: Graph, changes: Sequence[Change]) -> None:
        """Of `changes`, none between the two is left out."""
        self._before: Final = before
        self._after: Final = after
        self._changes: Final = changes
        self._downstream_of: Final[dict[tuple[str, ...], Names]] = {}
        self._paths: Final[dict[Effect, Paths]] = {}

    def affected(
        self, own: Sequence[Change], *, by: Collection[str]
    ) -> Iterator[tuple["Effect", list[str]]]:
        """Yield the affected tasks of servers other than `by`, the gravest effect first.

        `own`: the changes of these servers. Nothing is affected by a server that changed nothing.
        """
        if not own or not len(self._before):
            return
        left_out = {
            change.task
            for change in self._changes
            if change.kind == "added" and change.server not in by
        }
        for effect, names in self._effects(own):
            affected: list[str] = []
            for tasks in self._after.by_server(names, without=by):
                new = [task for task in tasks if task not in left_out] if left_out else tasks
                affected += new
                yield effect, new
            left_out.update(affected)

    def path_of(self, task: str, effect: "Effect") -> list[str]:
        """Return the path from an affected task to its cause, or to the task that changed."""
        if effect not in self._paths:
            self._paths[effect] = self._paths_of(effect)
        paths, path = self._paths[effect], [task]
        while (nearer := paths[path[-1]]) != path[-1]:
            path.append(nearer)
        return [*path, self._closed[path[-1]]] if effect == "not_allowed" else path

    def _paths_of(self, effect: "Effect") -> Paths:
        before, after, changes = self._before, self._after, self._changes
        match effect:
            case "unresolved":
                return after.users.paths(_unresolved(after))
            case "not_allowed":
                return after.users.paths(sorted(self._closed))
            case "cron_needs_params":
                return after.users.paths(sorted(after.requiring))
            case "resolved":
                return before.users.paths(_unresolved(before))
            case "closure":
                return after.users.paths(_tasks(filter(_changes_closure, changes)))
            case "declaration":
                return after.users.paths(_tasks(filter(_changes_invocation, changes)))

    @cached_property
    def _closed(self) -> Mapping[str, str]:
        """Of each task with upstreams on which it may not depend, the last one of these."""
        users = self._after.users
        return dict(forbidden_edges(self._after, users.reached(users.forbidden)))

    def _effects(self, own: Sequence[Change]) -> Iterator[tuple["Effect", Names]]:
        """Yield each effect with the names that have it."""
        before, after = self._before.users, self._after.users
        missing, resolved = after.missing.since(before.missing)
        forbidden, _ = after.forbidden.since(before.forbidden)
        if missing:
            yield "unresolved", after.numbered(missing)
        if forbidden:
            yield "not_allowed", after.numbered(forbidden)
        if self._crons:
            yield "cron_needs_params", after.names(filter(self._is_refused, self._crons))
        if resolved:
            yield "resolved", after.numbered(resolved)
        if closure := _tasks(filter(_changes_closure, own)):
            yield "closure", self._downstream(closure)
        if invocation := _tasks(filter(_changes_invocation, own)):
            yield "declaration", self._downstream(invocation)

    def _downstream(self, changed: tuple[str, ...]) -> Names:
        """Return what is downstream of these tasks; it is remembered."""
        if changed not in self._downstream_of:
            self._downstream_of[changed] = self._after.users.downstream(changed)
        return self._downstream_of[changed]

    @cached_property
    def _crons(self) -> Sequence[str]:
        """The tasks with a cron that are downstream of a change."""
        crons = [cron.task.name for cron in self._after.crons]
        changed = self._downstream(_tasks(filter(_may_affect, self._changes))) if crons else None
        return [cron for cron in crons if changed and cron in changed]

    @cached_property
    def _needing(self) -> tuple[Names, Names]:
        """What needs a task with a parameter that has no default, before and after."""
        before, after = (
            graph.users.downstream(graph.requiring) for graph in (self._before, self._after)
        )
        return before, after

    def _is_refused(self, cron: str) -> bool:
        """Return whether the ticks of a task are refused from now on: they carry no params."""
        before, after = self._needing
        owned = self._before.get(cron)
        had_cron = owned is not None and owned.task.cron is not None
        return cron in after and not (had_cron and cron in before)


def _unresolved(graph: Graph) -> Sequence[str]:
    users = graph.users
    return sorted([name for name in users.reached(users.missing) if name not in graph])


def _tasks(changes: Iterable[Change]) -> tuple[str, ...]:
    return tuple([change.task for change in changes])


def _may_affect(change: Change) -> bool:
    return change.kind != "changed" or not _HARMLESS_FIELDS.issuperset(change.fields)


def _changes_closure(change: Change) -> bool:
    return change.kind != "changed" or "upstream" in change.fields


def _changes_invocation(change: Change) -> bool:
    return not _NON_BREAKING_FIELDS.issuperset(change.fields)
