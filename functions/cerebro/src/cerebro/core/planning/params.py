"""Params: which task of a plan gets which parameter of the run, and whether the values fit.

Invariant: unknown, missing and unfitting parameters are all reported at once.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from cerebro.core.graph.graph import Graph
from cerebro.core.model.plan import Plan
from cerebro.core.validation.problems import at_most, names_of, near, quoted, short_path
from cordyna_core.contract.base import Problem
from cordyna_core.contract.json_values import JsonObject
from cordyna_core.contract.secret_params import (
    REDACTED,
    has_secrets,
    plain_secret_problems,
    without_secrets,
)


def params_named_by(schema: JsonObject | None) -> tuple[str, ...]:
    """Return the parameters that a task gets: the properties and required names of its schema."""
    if not schema:
        return ()
    return tuple(dict.fromkeys([*schema.get("properties", ()), *schema.get("required", ())]))


def check_params(graph: Graph, plan: Plan, params: Mapping[str, Any]) -> tuple[Problem, ...]:
    """Return every problem of `params` for a run of `plan`, which was made from `graph`."""
    users = list(_tasks_by_schema(graph, plan))
    secrets = plain_secret_problems(
        ((_users(tasks, graph), schema) for schema, tasks in users), params
    )
    named = {name for schema, _ in users for name in params_named_by(schema)}
    if graph.secret_names and not secrets:
        secrets = [
            _replaced(name) for name in params if name in named and _is_replaced(params[name])
        ]
    if secrets:
        # Only these: the fault of another value could quote a secret.
        return at_most(secrets)
    faults_of = _checker() if users else _no_faults
    problems = [_unknown(name, named) for name in params if name not in named]
    missing: dict[str, list[str]] = {}
    for schema, tasks in users:
        for name in schema.get("required", ()):
            if name not in params:
                missing.setdefault(name, []).extend(tasks)
        named_here = {name: params[name] for name in params_named_by(schema) if name in params}
        problems += [
            _bad(where, fault, tasks, graph)
            for where, fault in faults_of(_checked(schema), named_here)
        ]
    return at_most([*problems, *(_missing(name, tasks, graph) for name, tasks in missing.items())])


def _is_replaced(value: Any) -> bool:
    """Return whether a value, or a part of it, was replaced when its event was kept.

    Then it named what was not declared, which may be declared by the time it is handled again.
    """
    return REDACTED in str(value)


def _checked(schema: JsonObject) -> JsonObject:
    """Return what the params are checked by: a reference is not the value that it names."""
    return without_secrets(schema) if has_secrets(schema) else schema


Checker = Callable[[JsonObject, JsonObject], Iterable[tuple[str, str]]]
"""(schema, params) -> (parameter, fault) of every value that does not fit."""


def _checker() -> Checker:
    """Return a checker for one invocation: all its schemas together may take one effort."""
    from cerebro.core.validation.effort import Effort  # noqa: PLC0415  it imports jsonschema, 60 ms
    from cerebro.core.validation.json_schema import faults_of_value  # noqa: PLC0415

    effort = Effort()
    return lambda schema, params: faults_of_value(schema, params, effort)


def _no_faults(schema: JsonObject, params: JsonObject) -> Iterable[tuple[str, str]]:
    del schema, params
    return ()


def _tasks_by_schema(graph: Graph, plan: Plan) -> Iterator[tuple[JsonObject, list[str]]]:
    """Yield each schema once, with its tasks: 100,000 tasks often have the same one."""
    tasks_of: dict[str, list[str]] = {}
    for planned in plan.tasks:
        schema = None if planned.is_join else graph[planned.name].task.params_schema
        if schema:
            tasks_of.setdefault(json.dumps(schema), []).append(planned.name)
    for text, tasks in tasks_of.items():
        yield json.loads(text), tasks


def _unknown(name: str, named: set[str]) -> Problem:
    alike = near(name, named)
    if alike:
        hint = f"did you mean {names_of(alike)}?"
    elif named:
        hint = f"they know {names_of(sorted(named))}"
    else:
        hint = "they take none"
    return Problem(
        code="unknown_param", message=f"no task of this run has a parameter {quoted(name)}: {hint}"
    )


def _missing(name: str, tasks: Sequence[str], graph: Graph) -> Problem:
    message = f"parameter {quoted(name)} is missing: {_users(tasks, graph)} cannot run without it"
    return Problem(code="missing_param", message=message, path=short_path(tasks))


def _bad(where: str, fault: str, tasks: Sequence[str], graph: Graph) -> Problem:
    return Problem(
        code="bad_param",
        message=f"parameter {where} does not suit {_users(tasks, graph)}: {fault}",
        path=short_path(tasks),
    )


def _replaced(name: str) -> Problem:
    message = f"parameter {quoted(name)} was replaced when it was kept, as a possible secret"
    return Problem(code="plain_secret", message=f"{message}: invoke the task again with its value")


def _users(tasks: Sequence[str], graph: Graph) -> str:
    return names_of([f"{task} ({graph.server_of(task)})" for task in tasks])
