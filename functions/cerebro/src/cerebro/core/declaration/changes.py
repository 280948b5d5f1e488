"""Changes: which tasks differ between two graphs, and in which fields.

Invariant: only the declarations that are not the same object in both graphs are compared, so the
time does not depend on what the other servers declare.
"""

from collections.abc import Iterator
from typing import Final, Literal, NamedTuple

from cerebro.core.graph.graph import Graph
from cerebro.core.graph.owned_task import OwnedTask
from cordyna_core.contract.declaration import TaskDeclaration

_FIELDS: Final = tuple(field for field in TaskDeclaration.model_fields if field != "name")


class Change(NamedTuple):
    """A task that was added, removed, or declared in another way.

    Fields:
        server: its owner; of a removed task, the last one.
        fields: of TaskDeclaration, or `server`; those that differ, of a changed task.
    """

    task: str
    server: str
    kind: Literal["added", "removed", "changed"]
    fields: tuple[str, ...] = ()


def changes_between(before: Graph, after: Graph) -> Iterator[Change]:
    """Yield every task that differs: those of `before` in its order, then the added ones."""
    names = dict.fromkeys(_declared_otherwise(before, after))
    names.update(dict.fromkeys(_declared_otherwise(after, before)))
    old, new = before.tasks, after.tasks
    for name in names:
        was, will_be = old.get(name), new.get(name)
        if was is None:
            yield Change(name, new[name].server, "added")
        elif will_be is None:
            yield Change(name, was.server, "removed")
        elif fields := _differing(was, will_be):
            yield Change(name, will_be.server, "changed", fields)


def _declared_otherwise(graph: Graph, other: Graph) -> list[str]:
    """Return the tasks of each declaration that is not the same object in the `other` graph."""
    names: list[str] = []
    for server, declared in graph.declarations.items():
        if other.declarations.get(server) is not declared:
            names += graph.tasks_of(server)
    return names


def _differing(was: OwnedTask, will_be: OwnedTask) -> tuple[str, ...]:
    moved = ("server",) if was.server != will_be.server else ()
    old, new = was.task, will_be.task
    if old is new or old == new:
        return moved
    return moved + tuple(field for field in _FIELDS if getattr(old, field) != getattr(new, field))
