"""Declared tasks: what servers declare, as a dictionary of tasks, for the checks of a world.

Invariant: nothing here calls a program of the core.
"""

from collections.abc import Mapping
from fnmatch import fnmatchcase

from cordyna_core.contract.declaration import ServerDeclared, TaskDeclaration

Tasks = Mapping[str, tuple[str, TaskDeclaration]]
"""Name -> (server, task)."""


def tasks_of(declarations: Mapping[str, ServerDeclared]) -> Tasks:
    return {
        task.name: (server, task)
        for server, declared in declarations.items()
        for task in declared.tasks
    }


def owned_by(declared: ServerDeclared, others: Tasks) -> Tasks:
    """Return the tasks of a declaration that no other server has; of two copies the first."""
    return {
        task.name: (declared.server, task)
        for task in reversed(declared.tasks)
        if task.name not in others
    }


def required_of(task: TaskDeclaration) -> list[str]:
    return list((task.params_schema or {}).get("required", ()))


def closure_of(target: str, tasks: Mapping[str, TaskDeclaration]) -> list[str]:
    """Return a name and all upstream of it, also what no server declares, the nearest first."""
    reached = [target]
    for name in reached:
        needed = tasks[name].upstream_names if name in tasks else ()
        reached += [upstream for upstream in dict.fromkeys(needed) if upstream not in reached]
    return reached


def may_use(server: str, used: tuple[str, TaskDeclaration]) -> bool:
    owner, task = used
    if task.consumers is None or server == owner:
        return True
    return any(fnmatchcase(server, entry) for entry in task.consumers)
