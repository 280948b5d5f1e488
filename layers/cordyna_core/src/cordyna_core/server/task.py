"""Tasks: a function of a team, and its declaration.

Invariant: what the function itself says (its name, parameters and docstring) is not written again.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from cordyna_core.contract.declaration import TaskDeclaration, Upstream
from cordyna_core.contract.limits import MAX_DESCRIPTION_CHARS
from cordyna_core.errors import UserError
from cordyna_core.server.options import (
    declare_task,
    require_known_options,
    require_name,
    task_name_of,
    with_typed,
)
from cordyna_core.server.output_type import OutputType, output_type_of
from cordyna_core.server.parameters import Parameters
from cordyna_core.server.retried_errors import ErrorClasses, RetriedErrors, retried_errors


@dataclass(frozen=True, slots=True)
class Task:
    """A declared task and its body."""

    declaration: TaskDeclaration
    function: Callable[..., Any]
    parameters: Parameters
    upstream_names: tuple[str, ...]
    output_type: OutputType | None
    retried: RetriedErrors


def task_of(
    function: Callable[..., Any],
    *,
    name: str | None = None,
    description: str | None = None,
    output_type: Any = None,
    retry_on: ErrorClasses | None = None,
    never_retry_on: ErrorClasses = (),
    upstream: Iterable[str | Upstream] = (),
    **options: Any,
) -> Task:
    """Return the task of `function`; for `options`, see TaskServer.task. Raises UserError."""
    require_known_options(options)
    if not callable(function):
        raise UserError(
            f"{function!r} is not a function",
            next="write @server.task or @server.task(name=..., upstream=[...])",
        )
    name = require_name(
        task_name_of(getattr(function, "__name__", "")) if name is None else name, "task"
    )
    parameters = Parameters(function, name)
    description = _first_line(function) if description is None else description
    if options.get("cron") is not None:
        _require_defaults(parameters, name)
    returned = output_type_of(function, name, declared=output_type)
    declaration = declare_task(
        name,
        upstream=with_typed(name, upstream, parameters.edges),
        **options,
        description=description,
        params_schema=parameters.schema,
        output_schema=returned.schema if returned is not None else None,
    )
    retried = retried_errors(name, retry_on, never_retry_on)
    return Task(declaration, function, parameters, declaration.upstream_names, returned, retried)


def _require_defaults(parameters: Parameters, task: str) -> None:
    if required := (parameters.schema or {}).get("required"):
        raise UserError(
            f'task "{task}" has a cron, and a parameter without default: {", ".join(required)}',
            why="a cron tick invokes the task without params",
            next="give the parameter a default",
        )


def _first_line(function: Callable[..., Any]) -> str | None:
    # The docstring of a partial itself is that of functools.partial.
    lines = (getattr(function, "func", function).__doc__ or "").strip().splitlines()
    return lines[0][:MAX_DESCRIPTION_CHARS] if lines else None
