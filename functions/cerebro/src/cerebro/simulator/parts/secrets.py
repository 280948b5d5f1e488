"""Secrets: parameters that drawn tasks take as references, and plain values that must not be kept.

Invariant: a plain value that is drawn contains PLAIN, so it is found wherever it is.
"""

import json
from typing import Any, Final

from cerebro.core.graph.graph import Graph
from cordyna_core.contract.declaration import TaskDeclaration

SECRET: Final = "token"  # noqa: S105 - the name of a parameter
"""The name of a drawn parameter that is a secret."""

MISSPELT: Final = "tokem"
PLAIN: Final = "hunter2"
REFERENCES: Final = ("env:", "ssm:", "secretsmanager:", "file:")
VALUES: Final[tuple[str | None, ...]] = ("env:TOKEN", "ssm:/team/token", "env:TOKEN", None, PLAIN)

# No reference fits the pattern: it is of the value that a reference names.
SCHEMA: Final[dict[str, Any]] = {"type": ["string", "null"], "writeOnly": True, "pattern": "^sk-"}


def has_plain(value: Any) -> bool:
    """Return whether a text, or the text of a value, has a plain secret in it."""
    return PLAIN in str(value)


def may_be_kept(text: str, graph: Graph) -> bool:
    """Return whether an event that cannot be handled may be kept with its plain values.

    One that can be read, and whose task takes a secret itself or upstream, may not. Any other one
    may, unless it names a parameter that is a secret of some task.
    """
    tasks = {task.name: task for one in graph.declarations.values() for task in one.tasks}
    if not any(map(_takes_secret, tasks.values())):
        return True
    try:
        detail = json.loads(text)["detail"]
    except ValueError:
        return f'"{SECRET}"' not in text
    if "key" in detail or detail["task"] not in tasks:  # malformed, or unknown
        return SECRET not in detail["params"]
    reached = [detail["task"]]
    for name in reached:
        needed = tasks[name].upstream_names if name in tasks else ()
        reached += [upstream for upstream in needed if upstream not in reached]
    return not any(name in tasks and _takes_secret(tasks[name]) for name in reached)


def _takes_secret(task: TaskDeclaration) -> bool:
    return SECRET in (task.params_schema or {}).get("properties", ())
