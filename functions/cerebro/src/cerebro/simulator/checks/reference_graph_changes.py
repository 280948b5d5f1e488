"""Reference of graph changes: what the servers on both sides of an edge learn of a declaration.

The notices of the accepted declaration, which tasks were added, removed or changed, and which tasks
of others are not invoked as before (docs/rules.md, rules 9, 18 and 21).

Invariant: nothing here calls a program of the core.
"""

from collections import Counter
from collections.abc import Iterator
from typing import Final

from cerebro.simulator.checks.handled_input import HandledInput
from cerebro.simulator.checks.unexpected import Unexpected
from cerebro.simulator.parts.declared_tasks import Tasks, closure_of, may_use, required_of
from cerebro.simulator.parts.output_types import suits
from cordyna_core.contract.declaration import TaskDeclaration
from cordyna_core.contract.incidents import GraphChanged
from cordyna_core.contract.state_updates import DeclarationAccepted

_WITHOUT_EFFECT_ON_OTHERS: Final = frozenset(
    {"owner", "description", "timezone", "overlap", "cron", "due", "consumers", "invokers"}
    | {"deprecated", "until", "retry_delay_s", "retry_backoff", "retry_max_delay_s"}
    | {"retry_jitter"}
)

_Notice = tuple[tuple[str, str, str], tuple[str, str | None, str, str | None]]
"""(code, task, upstream), and (server, owner) of both."""


def check_notices(answer: DeclarationAccepted, after: Tasks) -> None:
    own = {name: owned for name, owned in after.items() if owned[0] == answer.server}
    expected = Counter(_notices(own, after))
    listed: Counter[_Notice] = Counter(
        (
            (notice.code, notice.task, notice.upstream),
            (notice.server, notice.owner, notice.upstream_server, notice.upstream_owner),
        )
        for notice in answer.notices
    )
    if listed != expected:
        raise Unexpected(
            f"the notices are {listed - expected}, and {expected - listed} are missing"
        )


def _notices(own: Tasks, after: Tasks) -> Iterator[_Notice]:
    for name, (server, task) in after.items():
        for upstream in task.upstream_names:
            if upstream not in after or (name not in own and upstream not in own):
                continue
            owner, used = after[upstream]
            sides = (server, task.owner, owner, used.owner)
            verdict = suits(used, task.expecting[upstream]) if upstream in task.expecting else None
            if verdict in ("breaks", "cannot_tell"):
                yield (verdict, name, upstream), sides
            if not may_use(server, after[upstream]):
                yield ("not_allowed", name, upstream), sides
            if used.deprecated is not None:
                yield ("deprecated", name, upstream), sides


# --- what has changed -----------------------------------------------------------------------------
def check_changes(handled: HandledInput, server: str, before: Tasks, after: Tasks) -> None:
    """The change of the graph is published, as one message about this server."""
    generation = (handled.graph.generation if handled.graph is not None else 0) + 1
    changes = [
        message
        for message in handled.published
        if isinstance(message, GraphChanged) and message.generation == generation
    ]
    if not changes and handled.graph_after is not None:
        return  # The answer of its write was lost, and another handler has published the change.
    if len(changes) != 1 or changes[0].server != server:
        raise Unexpected(f"the graph changed by {server}, and {len(changes)} messages tell it")
    fields = {name: _changed_fields(before[name], after[name]) for name in before if name in after}
    changed = {name for name, differing in fields.items() if differing}
    listed = [set(names) for names in (changes[0].added, changes[0].removed, changes[0].changed)]
    if listed != [after.keys() - before.keys(), before.keys() - after.keys(), changed]:
        raise Unexpected(f"the graph changed by {server}, and {listed} were published")
    moved = (before.keys() ^ after.keys()) | {
        name for name in changed if not _WITHOUT_EFFECT_ON_OTHERS.issuperset(fields[name])
    }
    is_changed = bool(moved or changed)
    affected = set(_affected(server, before, after, moved)) if is_changed else set()
    if {*changes[0].affected} != affected:
        raise Unexpected(f"{changes[0].affected} are affected by {server}, expected {affected}")


def _changed_fields(
    before: tuple[str, TaskDeclaration], after: tuple[str, TaskDeclaration]
) -> set[str]:
    names = {
        name
        for name in TaskDeclaration.model_fields
        if getattr(before[1], name) != getattr(after[1], name)
    }
    return names | ({"server"} if before[0] != after[0] else set())


def _affected(server: str, before: Tasks, after: Tasks, moved: set[str]) -> Iterator[str]:
    """Yield the tasks of others that are not invoked as before."""
    plain_before, plain_after = (
        {name: task for name, (_, task) in tasks.items()} for tasks in (before, after)
    )
    for name, (owner, task) in after.items():
        if owner == server or name not in before:
            continue
        closure = [closure_of(name, plain) for plain in (plain_before, plain_after)]
        missing, closed, requiring = (
            [holds(names, tasks) for names, tasks in zip(closure, (before, after), strict=True)]
            for holds in (_has_missing, _has_closed_edge, _has_required)
        )
        was_refused = before[name][1].cron is not None and requiring[0]
        is_refused = task.cron is not None and requiring[1] and not was_refused
        is_prevented = missing[0] != missing[1] or (closed[1] and not closed[0])
        if is_prevented or is_refused or moved.intersection(closure[1]):
            yield name


def _has_missing(closure: list[str], tasks: Tasks) -> bool:
    return any(name not in tasks for name in closure)


def _has_closed_edge(closure: list[str], tasks: Tasks) -> bool:
    return any(
        upstream in tasks and not may_use(tasks[name][0], tasks[upstream])
        for name in closure
        if name in tasks
        for upstream in tasks[name][1].upstream_names
    )


def _has_required(closure: list[str], tasks: Tasks) -> bool:
    return any(name in tasks and required_of(tasks[name][1]) for name in closure)
