"""Impact: which tasks of other servers a changed graph affects, and how.

Invariant: every task that would not be invoked as before is found, once, with its gravest effect
and a shortest path to what causes it.

Whether a task can be invoked depends on what is upstream of it, so only tasks downstream of a
change can be affected. Of the rest of the graph, what is downstream of an unresolved name, or of an
edge that is not allowed, is visited; a healthy graph has neither.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from functools import cached_property
from typing import TYPE_CHECKING, Final, NamedTuple

from cerebro.core.declaration.changes import Change
from cerebro.core.graph.graph import Graph
from cerebro.core.graph.users import Paths
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


class Affected(NamedTuple):
    """How a task is affected.

    Fields:
        paths: from it to a task that is changed, or has a cause.
        causes: what such a task needs, and may not; nothing, if it is the cause itself.
    """

    effect: "Effect"
    paths: Paths
    causes: Mapping[str, str] = {}

    def path_of(self, task: str) -> list[str]:
        """Return the path from an affected task to its cause."""
        path = [task]
        while (nearer := self.paths[path[-1]]) != path[-1]:
            path.append(nearer)
        cause = self.causes.get(path[-1])
        return path if cause is None else [*path, cause]


class _Reached(NamedTuple):
    """What is at or downstream of a cause of one kind, before and after."""

    before: Paths
    after: Paths


class Impact:
    """What the changes between two graphs affect."""

    def __init__(self, before: Graph, after: Graph, changes: Sequence[Change]) -> None:
        """Of `changes`, none between the two is left out."""
        self._before: Final = before
        self._after: Final = after
        self._changes: Final = changes
        self._paths: Final[dict[tuple[str, ...], Paths]] = {}

    def affected(
        self, own: Sequence[Change], *, by: Collection[str]
    ) -> Iterator[tuple[str, Affected]]:
        """Yield the affected tasks of servers other than `by`, the gravest effect first.

        `own`: the changes of these servers. Nothing is affected by a server that changed nothing.
        """
        affected = set[str]()
        for how, names in self._effects(own) if own else ():
            for name in self._after.in_order(names, without=by):
                if name in self._before and name not in affected:
                    affected.add(name)
                    yield name, how

    def _effects(self, own: Sequence[Change]) -> Iterator[tuple[Affected, Collection[str]]]:
        """Yield each effect with the names that have it."""
        missing, forbidden = self._missing, self._forbidden
        yield Affected("unresolved", missing.after), missing.after.keys() - missing.before.keys()
        closed = dict(forbidden_edges(self._after, self._after.users.forbidden))
        yield (
            Affected("not_allowed", forbidden.after, closed),
            forbidden.after.keys() - forbidden.before.keys(),
        )
        if crons := self._crons:
            needing = self._needing
            yield Affected("cron_needs_params", needing.after), set(filter(self._is_refused, crons))
        yield Affected("resolved", missing.before), missing.before.keys() - missing.after.keys()
        closure = self._downstream(filter(_changes_closure, own))
        yield Affected("closure", closure), closure
        declaration = self._downstream(filter(_changes_invocation, own))
        yield Affected("declaration", declaration), declaration

    def _downstream(self, changes: Iterable[Change]) -> Paths:
        """Return the paths of what is downstream of these changes; they are remembered."""
        sources = tuple([change.task for change in changes])
        if sources not in self._paths:
            self._paths[sources] = self._after.users.downstream(sources)
        return self._paths[sources]

    @cached_property
    def _missing(self) -> _Reached:
        return self._reached(self._before.users.unresolved, self._after.users.unresolved)

    @cached_property
    def _forbidden(self) -> _Reached:
        return self._reached(self._before.users.forbidden, self._after.users.forbidden)

    def _reached(self, before: AbstractSet[str], after: AbstractSet[str]) -> _Reached:
        """Return what is downstream of these causes; nothing, if that has not changed."""
        if before == after and not any(map(_changes_closure, self._changes)):
            return _Reached({}, {})
        return self._all_reached(before, after)

    def _all_reached(self, before: AbstractSet[str], after: AbstractSet[str]) -> _Reached:
        return _Reached(
            self._before.users.downstream(sorted(before)),
            self._after.users.downstream(sorted(after)),
        )

    @cached_property
    def _crons(self) -> Sequence[str]:
        """The tasks with a cron that are downstream of a change."""
        crons = self._after.crons
        changed = self._downstream(filter(_may_affect, self._changes)) if crons else {}
        return [cron.task.name for cron in crons if cron.task.name in changed]

    @cached_property
    def _needing(self) -> _Reached:
        return self._all_reached(self._before.requiring, self._after.requiring)

    def _is_refused(self, cron: str) -> bool:
        """Return whether the ticks of a task are refused from now on: they carry no params."""
        before = self._before.get(cron)
        had_cron = before is not None and before.task.cron is not None
        was_refused = had_cron and cron in self._needing.before
        return cron in self._needing.after and not was_refused


def _may_affect(change: Change) -> bool:
    return change.kind != "changed" or not _HARMLESS_FIELDS.issuperset(change.fields)


def _changes_closure(change: Change) -> bool:
    return change.kind != "changed" or "upstream" in change.fields


def _changes_invocation(change: Change) -> bool:
    return not _NON_BREAKING_FIELDS.issuperset(change.fields)
