"""Validate a declaration: its faults by itself, whatever other servers declare.

Invariant: every fault is found, and names its task. The limits are those of docs/rules.md.
"""

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache
from typing import Final

from cerebro.core.validation.problems import quoted
from cordyna_core.contract.base import Problem
from cordyna_core.contract.declaration import ServerDeclared, TaskDeclaration
from cordyna_core.contract.json_values import JsonObject
from cordyna_core.contract.limits import MAX_DECLARATION_BYTES

MAX_TASKS: Final = 10_000
MAX_UPSTREAMS: Final = 10_000

REMEMBERED_SCHEMAS: Final = 256
REMEMBERED_CHARS: Final = 16_384
"""Longer schemas are checked each time: what is remembered takes a few megabytes at most."""


def validate_declaration(declared: ServerDeclared, content: str) -> list[Problem]:
    """Return every fault of one declaration. `content`: its JSON, by `content_of`."""
    return [
        *_over_quota(declared, content),
        *_duplicate_tasks(declared.tasks),
        *_bad_edges(declared.tasks),
        *_bad_schemas(declared.tasks),
        *_bad_output_schemas(declared.tasks),
        *_crons_without_params(declared.tasks),
    ]


def _over_quota(declared: ServerDeclared, content: str) -> Iterator[Problem]:
    size, tasks = len(content.encode()), len(declared.tasks)
    if size > MAX_DECLARATION_BYTES:
        text = (
            f"the declaration of {declared.server} has {size:,} bytes, and "
            f"{MAX_DECLARATION_BYTES:,} are allowed: split it into two servers"
        )
        yield Problem(code="too_large", message=text)
    if tasks > MAX_TASKS:
        text = (
            f"{declared.server} declares {tasks:,} tasks, and a server may have {MAX_TASKS:,}: "
            "split it into two servers"
        )
        yield Problem(code="too_many_tasks", message=text)
    for task in declared.tasks:
        if len(task.upstream) > MAX_UPSTREAMS:
            text = (
                f"task {quoted(task.name)} has {len(task.upstream):,} upstreams, and "
                f"{MAX_UPSTREAMS:,} are allowed: put a task between"
            )
            yield Problem(code="too_many_upstreams", message=text, path=[task.name])


def _duplicate_tasks(tasks: Iterable[TaskDeclaration]) -> Iterator[Problem]:
    for name in _repeated(task.name for task in tasks):
        text = f"task {quoted(name)} is declared more than once: rename one of them"
        yield Problem(code="duplicate_task", message=text, path=[name])


def _bad_edges(tasks: Iterable[TaskDeclaration]) -> Iterator[Problem]:
    for task in tasks:
        names = task.upstream_names
        if task.name in names:
            text = f"task {quoted(task.name)} needs itself: remove it from its own upstream"
            yield Problem(code="cycle", message=text, path=[task.name, task.name])
        # Most tasks have few upstreams, each once, which a set finds faster than a Counter.
        if len(set(names)) < len(names):
            for name in _repeated(names):
                text = (
                    f"task {quoted(task.name)} names upstream {quoted(name)} more than once: "
                    "name it once"
                )
                yield Problem(
                    code="duplicate_upstream",
                    message=text,
                    path=list(dict.fromkeys([task.name, name])),
                )


def _bad_schemas(tasks: Iterable[TaskDeclaration]) -> Iterator[Problem]:
    for task in tasks:
        if task.params_schema is not None:
            for fault in _faults_of(task.params_schema, _faults_of_params_schema):
                text = (
                    f"task {quoted(task.name)}: params_schema is not a JSON Schema of its "
                    f"parameters: {fault}"
                )
                yield Problem(code="bad_schema", message=text, path=[task.name])


def _bad_output_schemas(tasks: Iterable[TaskDeclaration]) -> Iterator[Problem]:
    for task in tasks:
        for what, schema in _output_schemas(task):
            for fault in _faults_of(schema, _faults_of_output_schema):
                text = f"task {quoted(task.name)}: {what} is not a JSON Schema: {fault}"
                yield Problem(code="bad_schema", message=text, path=[task.name])


def _output_schemas(task: TaskDeclaration) -> Iterator[tuple[str, JsonObject]]:
    if task.output_schema is not None:
        yield "output_schema", task.output_schema
    for edge in task.upstream:
        if not isinstance(edge, str) and edge.expects:
            yield f"what it expects of {quoted(edge.task)}", edge.expects


def _crons_without_params(tasks: Sequence[TaskDeclaration]) -> Iterator[Problem]:
    """Yield a problem for each cron whose closure needs a param, which a tick cannot give.

    The closure within this declaration: one that reaches other servers may change without it, and
    is shown by a rehearsal and refused at each tick.
    """
    required_by = {task.name: required for task in tasks if (required := _required(task))}
    if not required_by:
        return
    needs = _reached_from(required_by, tasks)
    for task in tasks:
        if task.cron is not None and (needing := needs.get(task.name)):
            of = "" if needing == task.name else f" of its upstream {quoted(needing)}"
            text = (
                f"task {quoted(task.name)} has a cron, and parameter {required_by[needing]}{of} "
                "has no default, which a tick cannot give: give it a default"
            )
            path = list(dict.fromkeys([task.name, needing]))
            yield Problem(code="cron_needs_params", message=text, path=path)


def _required(task: TaskDeclaration) -> str:
    """Return the first parameter without default, quoted; empty if all have one."""
    required = (task.params_schema or {}).get("required")
    return quoted(str(required[0])) if isinstance(required, list) and required else ""


def _reached_from(sources: Iterable[str], tasks: Iterable[TaskDeclaration]) -> dict[str, str]:
    """Return, for each task that is a source or downstream of one, such a source."""
    downstream: dict[str, list[str]] = {}
    for task in tasks:
        for upstream in task.upstream_names:
            downstream.setdefault(upstream, []).append(task.name)
    reached = {name: name for name in sources}
    todo = list(reached)
    for name in todo:
        for below in downstream.get(name, ()):
            if below not in reached:
                reached[below] = reached[name]
                todo.append(below)
    return reached


# It takes a millisecond. Tasks often have the same schema, and are declared again.
def _remembered(check: Callable[[str], Sequence[str]]) -> Callable[[str], Sequence[str]]:
    """Return a check of the text of a schema that remembers the faults of short ones."""
    check_short = lru_cache(maxsize=REMEMBERED_SCHEMAS)(check)
    return lambda text: check_short(text) if len(text) <= REMEMBERED_CHARS else check(text)


@_remembered
def _faults_of_params_schema(text: str) -> Sequence[str]:
    from cerebro.core.validation.json_schema import faults_of_schema  # noqa: PLC0415  60 ms

    return tuple(faults_of_schema(json.loads(text)))


@_remembered
def _faults_of_output_schema(text: str) -> Sequence[str]:
    from cerebro.core.validation.json_schema import faults_of_form  # noqa: PLC0415  60 ms

    return tuple(faults_of_form(json.loads(text)))


def _faults_of(schema: JsonObject, check: Callable[[str], Sequence[str]]) -> Sequence[str]:
    try:
        text = json.dumps(schema)
    except RecursionError:
        return ["it is nested too deeply"]
    return check(text)


def _repeated(names: Iterable[str]) -> list[str]:
    return [name for name, times in Counter(names).items() if times > 1]
