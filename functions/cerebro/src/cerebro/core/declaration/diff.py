"""Rehearse: what would change if servers declared themselves now.

Law: it is decided as it would be when the declarations came over the bus one after another, and nothing is written. Of
what would be rejected, the change is shown all the same, as if nothing stood against it: its author wanted to know both.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from cerebro.core.declaration.decide import Accepted, Outcome, Rejected, decide
from cerebro.core.declaration.impact import affected_tasks
from cerebro.core.graph.graph import Graph, OwnedTask
from cordyna_core.contract.declaration import ServerDeclared, TaskDeclaration
from cordyna_core.contract.views.rehearsal import (
    CronChange,
    DeclarationView,
    Difference,
    EdgeChange,
    UnresolvedUpstreamView,
    RehearsalView,
    TaskChange,
)

_FIELDS: Final = tuple(field for field in TaskDeclaration.model_fields if field != "name")


def rehearsal(graph: Graph, declared: Sequence[ServerDeclared]) -> RehearsalView:
    """What `declared`, in this order, would make of `graph`."""
    standing = wanted = graph
    declarations = []
    for each in declared:
        outcome = decide(standing, each)
        declarations.append(_declaration_view(each, outcome))
        if isinstance(outcome, Accepted):
            standing = outcome.graph
        if isinstance(outcome, Accepted | Rejected):
            wanted = wanted.with_servers(
                {**wanted.declarations, each.server: _what_it_may_have(each, wanted)}
            )
    changes = list(_changes(graph, wanted))
    return RehearsalView(
        generation=graph.generation,
        declarations=declarations,
        tasks=changes,
        edges=list(_edges(graph, wanted, [change.task for change in changes])),
        crons=list(_crons(graph, wanted)),
        missing=list(_missing(graph, wanted)),
        touched=affected_tasks(graph, wanted, changes, by={each.server for each in declared}),
    )


def _declaration_view(declared: ServerDeclared, outcome: Outcome) -> DeclarationView:
    match outcome:
        case Accepted():
            return DeclarationView(server=declared.server, outcome="accepted")
        case Rejected(problems):
            return DeclarationView(
                server=declared.server, outcome="rejected", problems=list(problems)
            )
    return DeclarationView(server=declared.server, outcome=outcome.because)


def _what_it_may_have(declared: ServerDeclared, graph: Graph) -> ServerDeclared:
    """A declaration without the tasks that belong to others, and with none twice."""
    tasks: dict[str, TaskDeclaration] = {}
    for task in declared.tasks:
        if graph.server_of(task.name) in (None, declared.server):
            tasks.setdefault(task.name, task)
    return declared.model_copy(update={"tasks": list(tasks.values())})


def _changes(before: Graph, after: Graph) -> Iterator[TaskChange]:
    for name in dict.fromkeys([*before, *after]):
        was, will_be = before.get(name), after.get(name)
        if was is None:
            yield _change(after[name], "added", [])
        elif will_be is None:
            yield _change(was, "removed", [])
        elif fields := _differences(was, will_be):
            yield _change(will_be, "changed", fields)


def _change(placed: OwnedTask, change: str, fields: list[Difference]) -> TaskChange:
    server, task = placed
    return TaskChange.model_validate(
        {
            "task": task.name,
            "server": server,
            "change": change,
            "owner": task.owner,
            "fields": fields,
        }
    )


def _differences(was: OwnedTask, will_be: OwnedTask) -> list[Difference]:
    moved = (
        [Difference(what="server", before=was.server, after=will_be.server)]
        if was.server != will_be.server
        else []
    )
    if was.task is will_be.task or was.task == will_be.task:
        return moved
    old, new = was.task.model_dump(mode="json"), will_be.task.model_dump(mode="json")
    return [
        *moved,
        *(
            Difference(what=field, before=old[field], after=new[field])
            for field in _FIELDS
            if old[field] != new[field]
        ),
    ]


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
        {placed.task.name: placed for placed in graph.crons} for graph in (before, after)
    )
    for name in dict.fromkeys([*was, *will_be]):
        old, new = _cron(was.get(name)), _cron(will_be.get(name))
        if old != new:
            yield CronChange(
                task=name, server=(after.get(name) or before[name]).server, before=old, after=new
            )


def _cron(placed: OwnedTask | None) -> str | None:
    """`0 6 * * 1-5 Europe/Berlin (overlap allow)`; what is as by default is left out."""
    if placed is None:
        return None
    task = placed.task
    zone = "" if task.timezone == "UTC" else f" {task.timezone}"
    return f"{task.cron}{zone}" + (f" (overlap {task.overlap})" if task.overlap != "skip" else "")


def _missing(before: Graph, after: Graph) -> Iterator[UnresolvedUpstreamView]:
    for name, needed_by in after.unresolved.items():
        known = before.unresolved.get(name, ())
        if newly := [task for task in needed_by if task not in known]:
            yield UnresolvedUpstreamView(upstream=name, needed_by=newly)
