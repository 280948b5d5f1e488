"""Task: a function of a team's, and what is declared of it.

Law: what the function itself says (its name, its parameters, its docstring) need not be said again.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from cordyna_core.contract.declaration import TaskDeclaration
from cordyna_core.errors import UserError
from cordyna_core.server.options import checked_name, declare, task_name_of
from cordyna_core.server.parameters import Parameters

_MAX_DESCRIPTION_CHARS = 2048


@dataclass(frozen=True, slots=True)
class Task:
    """A declared task and its body."""

    declaration: TaskDeclaration
    function: Callable[..., Any]
    parameters: Parameters
    upstream_names: tuple[str, ...]


def task_of(
    function: Callable[..., Any],
    *,
    name: str | None = None,
    description: str | None = None,
    **said: Any,
) -> Task:
    """The task that `function` is, with what is `said` of it beside (see TaskServer.task). Raises UserError."""
    if not callable(function):
        raise UserError(
            f"{function!r} is not a function",
            next="write @server.task or @server.task(name=..., upstream=[...])",
        )
    name = checked_name(
        task_name_of(getattr(function, "__name__", "")) if name is None else name, "task"
    )
    parameters = Parameters(function, name)
    description = _first_line(function) if description is None else description
    declaration = declare(name, **said, description=description, params_schema=parameters.schema)
    return Task(declaration, function, parameters, declaration.upstream_names)


def _first_line(function: Callable[..., Any]) -> str | None:
    # A partial's own docstring is that of functools.partial.
    lines = (getattr(function, "func", function).__doc__ or "").strip().splitlines()
    return lines[0][:_MAX_DESCRIPTION_CHARS] if lines else None
