"""Diff: what would change if servers declared themselves now.

Invariant: it is decided as if the declarations came over the bus one after another, and nothing is
written. One without a revision is decided as its deployment would declare it, which gives it a
newer one than is accepted: the server in a file has none. The change of a declaration that would be
rejected is shown too, as if it were accepted: its author wants to know both.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence

from cerebro.core.declaration.changes import Change, changes_between
from cerebro.core.declaration.conflicts import only_owned
from cerebro.core.declaration.decide import Accepted, Outcome, Rejected, decide
from cerebro.core.declaration.impact import Impact
from cerebro.core.declaration.notices import notices_of_server
from cerebro.core.graph.graph import Graph
from cerebro.core.graph.owned_task import OwnedTask
from cerebro.core.validation.problems import short_path
from cordyna_core.contract.declaration import ServerDeclared
from cordyna_core.contract.notices import Notice
from cordyna_core.contract.views.rehearsal import (
    CronChange,
    DeclarationView,
    Difference,
    EdgeChange,
    RehearsalView,
    TaskChange,
    TouchedTask,
    UnresolvedUpstreamView,
)


def rehearsal(graph: Graph, declared: Sequence[ServerDeclared]) -> RehearsalView:
    """Return what `declared`, in this order, would change in `graph`."""
    accepted = wanted = graph
    declarations = []
    for declaration in (_as_deployed(declaration, graph) for declaration in declared):
        outcome = decide(accepted, declaration)
        declarations.append(_declaration_view(declaration, outcome))
        if isinstance(outcome, Accepted):
            accepted = outcome.graph
        if isinstance(outcome, Accepted | Rejected):
            owned = only_owned(declaration, wanted.server_of)
            wanted = wanted.with_servers({**wanted.declarations, declaration.server: owned})
    if wanted is not accepted:
        # It may have a cycle.
        wanted = wanted.with_users_anew()
    changes = list(changes_between(graph, wanted))
    return RehearsalView(
        generation=graph.generation,
        declarations=declarations,
        tasks=[_task_change(graph, wanted, change) for change in changes],
        edges=list(_edges(graph, wanted, [change.task for change in changes])),
        crons=list(_crons(graph, wanted)),
        missing=list(_missing(graph, wanted)),
        notices=_notices(wanted, dict.fromkeys(declaration.server for declaration in declared)),
        touched=list(_touched(graph, wanted, changes, {one.server for one in declared})),
    )


def _notices(wanted: Graph, servers: Iterable[str]) -> list[Notice]:
    """Return the notices of several servers; that of an edge between two of them once."""
    every = [notice for server in servers for notice in notices_of_server(wanted, server)]
    return list({(one.task, one.upstream, one.code): one for one in every}.values())


def _as_deployed(declared: ServerDeclared, graph: Graph) -> ServerDeclared:
    """Return the declaration with the accepted revision, if it has none."""
    accepted = graph.declarations.get(declared.server)
    if accepted is None or declared.revision:
        return declared
    return declared.model_copy(update={"revision": accepted.revision})


def _declaration_view(declared: ServerDeclared, outcome: Outcome) -> DeclarationView:
    match outcome:
        case Accepted():
            return DeclarationView(server=declared.server, outcome="accepted")
        case Rejected(problems):
            return DeclarationView(
                server=declared.server, outcome="rejected", problems=list(problems)
            )
    return DeclarationView(server=declared.server, outcome=outcome.because)


def _task_change(before: Graph, after: Graph, change: Change) -> TaskChange:
    was, will_be = before.get(change.task), after.get(change.task)
    owned = will_be or was
    assert owned is not None
    return TaskChange(
        task=change.task,
        server=change.server,
        change=change.kind,
        owner=owned.task.owner,
        fields=_differences(was, will_be, change.fields) if was and will_be else [],
    )


def _differences(was: OwnedTask, will_be: OwnedTask, fields: Sequence[str]) -> list[Difference]:
    old, new = (
        {"server": owned.server, **owned.task.model_dump(mode="json", include={*fields})}
        for owned in (was, will_be)
    )
    return [Difference(what=field, before=old[field], after=new[field]) for field in fields]


def _touched(
    before: Graph, after: Graph, changes: Sequence[Change], by: Collection[str]
) -> Iterator[TouchedTask]:
    impact = Impact(before, after, changes)
    for effect, names in impact.affected(changes, by=by):
        for name in names:
            server, task = after[name]
            yield TouchedTask(
                task=name,
                server=server,
                effect=effect,
                owner=task.owner,
                cron=task.cron,
                path=short_path(impact.path_of(name, effect)),
            )


def _edges(before: Graph, after: Graph, changed: Iterable[str]) -> Iterator[EdgeChange]:
    for name in changed:
        was, will_be = before.upstream_of(name), after.upstream_of(name)
        yield from (
            EdgeChange(change="removed", upstream=upstream, task=name)
            for upstream in was
            if upstream not in will_be
        )
        yield from (
            EdgeChange(change="added", upstream=upstream, task=name)
            for upstream in will_be
            if upstream not in was
        )


def _crons(before: Graph, after: Graph) -> Iterator[CronChange]:
    was, will_be = (
        {owned_task.task.name: owned_task for owned_task in graph.crons}
        for graph in (before, after)
    )
    for name in dict.fromkeys([*was, *will_be]):
        old, new = _cron(was.get(name)), _cron(will_be.get(name))
        if old != new:
            yield CronChange(
                task=name, server=(after.get(name) or before[name]).server, before=old, after=new
            )


def _cron(owned_task: OwnedTask | None) -> str | None:
    """Return `0 6 * * 1-5 Europe/Berlin (overlap allow)`; what is as by default is left out."""
    if owned_task is None:
        return None
    task = owned_task.task
    zone = "" if task.timezone == "UTC" else f" {task.timezone}"
    return f"{task.cron}{zone}" + (f" (overlap {task.overlap})" if task.overlap != "skip" else "")


def _missing(before: Graph, after: Graph) -> Iterator[UnresolvedUpstreamView]:
    for name, needed_by in after.unresolved.items():
        known = before.unresolved.get(name, ())
        if newly := [task for task in needed_by if task not in known]:
            yield UnresolvedUpstreamView(upstream=name, needed_by=newly)
