"""JSON Schemas of parameters: which ones a task may declare, and which values fit them.

Invariant: an accepted schema never makes cerebro fetch or crash: what it refers to is in it, and is
a schema.

Import it where there is a schema: jsonschema takes 60 ms to import, and most tasks have no
parameters.
"""

import json
from collections.abc import Iterator
from contextvars import copy_context
from typing import Any, Final

import jsonschema
import jsonschema.validators
from jsonschema.exceptions import ValidationError
from jsonschema_specifications import REGISTRY  # type: ignore[import-untyped]
from referencing.exceptions import Unresolvable
from referencing.jsonschema import DRAFT202012

from cerebro.core.validation.effort import CURRENT_EFFORT, Effort, EffortExceeded, counted
from cerebro.core.validation.keywords import KEYWORDS
from cerebro.core.validation.patterns import fault_of_pattern
from cerebro.core.validation.problems import quoted, shortened
from cordyna_core.contract.json_values import JsonObject

_DRAFT: Final = jsonschema.Draft202012Validator
_CHECKER: Final = jsonschema.validators.extend(  # type: ignore[no-untyped-call]
    _DRAFT, counted({**_DRAFT.VALIDATORS, **KEYWORDS})
)
_META_SCHEMA: Final = _DRAFT(_DRAFT.META_SCHEMA, format_checker=_DRAFT.FORMAT_CHECKER)
_REFERENCES: Final = frozenset({"$ref", "$dynamicRef"})
_PATTERN: Final = "pattern"
_NOT_SCHEMAS: Final = frozenset({"default", "const", "enum", "examples"})
_ONLY_AT_THE_ROOT: Final = frozenset({"$id", "$schema"})


def faults_of_schema(schema: JsonObject) -> list[str]:
    """Return every fault of a schema of parameters, each with its place."""
    faults = faults_of_form(schema)
    if faults:
        return faults
    if schema.get("type") != "object":
        faults.append('$.type: must be "object", because parameters are given by name')
    if _names_patterns(schema):
        faults.append(
            "$: patternProperties cannot be used: "
            "give the values a pattern, or check the names in the task"
        )
    for path, key, value in _keywords(schema):
        if key in _ONLY_AT_THE_ROOT:
            faults.append(f"{path}.{key}: is allowed only at the root")
        elif key == _PATTERN:
            if fault := fault_of_pattern(value):
                faults.append(f"{path}.{key}: {quoted(value)} cannot be used: {shortened(fault)}")
        elif not value.startswith("#"):
            faults.append(
                f"{path}.{key}: {quoted(value)} is outside the schema: refer to #/$defs/..."
            )
        elif not _leads_to_a_schema(schema, value):
            faults.append(f"{path}.{key}: {quoted(value)} leads to no schema")
    return faults


def faults_of_value(
    schema: JsonObject, params: JsonObject, effort: Effort | None = None
) -> Iterator[tuple[str, str]]:
    """Yield (parameter, fault) for every value that does not fit.

    A missing parameter is not a fault here. `effort` is what the check may still take.
    """
    # A registry is passed, because the default one fetches unknown references.
    checker = _CHECKER(schema, registry=REGISTRY)
    # In a context of its own, which a generator does not have.
    context = copy_context()
    context.run(CURRENT_EFFORT.set, effort or Effort())
    faults = checker.iter_errors(params)
    try:
        while (fault := context.run(next, faults, None)) is not None:
            if not _is_a_missing_param(fault):
                yield fault.json_path.removeprefix("$."), shortened(_message_of(fault))
    except EffortExceeded:
        yield "$", "takes too long to check: give fewer values, or declare a simpler schema"
    except (RecursionError, OverflowError, Unresolvable) as beyond:
        yield "$", f"cannot be checked: {shortened(str(beyond))}"


def _message_of(fault: ValidationError) -> str:
    """Return the message; for a choice of schemas, that of the only one whose type fits."""
    faults_by_choice: dict[object, list[ValidationError]] = {}
    for part in fault.context or ():
        faults_by_choice.setdefault(part.relative_schema_path[0], []).append(part)
    fitting = [
        faults
        for faults in faults_by_choice.values()
        if not any(part.validator == "type" and not part.relative_path for part in faults)
    ]
    return _message_of(fitting[0][0]) if len(fitting) == 1 else _in_json(fault)


def _in_json(fault: ValidationError) -> str:
    """Return the message with the value as it was given: `true` and `null`, not True and None."""
    message, shown = str(fault.message), repr(fault.instance)
    if isinstance(fault.instance, str) or not message.startswith(shown):
        return message
    return json.dumps(fault.instance, ensure_ascii=False) + message.removeprefix(shown)


def faults_of_form(schema: JsonObject) -> list[str]:
    """Return every fault of a value that is to be a JSON Schema, each with its place."""
    try:
        return [
            f"{fault.json_path}: {shortened(fault.message)}"
            for fault in _META_SCHEMA.iter_errors(schema)
        ]
    except (RecursionError, OverflowError) as beyond:
        return [f"$: cannot be checked: {shortened(str(beyond))}"]


def _is_a_missing_param(fault: ValidationError) -> bool:
    return list(fault.absolute_schema_path) == ["required"]


def _names_patterns(part: Any) -> bool:
    # jsonschema would match its patterns with Python's `re` (see `patterns`).
    todo = [part]
    for item in todo:
        if isinstance(item, dict):
            if isinstance(item.get("patternProperties"), dict):
                return True
            todo += [value for key, value in item.items() if key not in _NOT_SCHEMAS]
        elif isinstance(item, list):
            todo += item
    return False


def _keywords(schema: JsonObject) -> Iterator[tuple[str, str, str]]:
    """Yield (place, keyword, value) of references, patterns and keywords for the root only."""
    todo: list[tuple[str, Any]] = [("$", schema)]
    for path, part in todo:
        if isinstance(part, dict):
            for key, value in part.items():
                is_text = isinstance(value, str)
                if is_text and (
                    key == _PATTERN
                    or key in _REFERENCES
                    or (key in _ONLY_AT_THE_ROOT and path != "$")
                ):
                    yield path, key, value
                elif not is_text and key not in _NOT_SCHEMAS:
                    todo.append((f"{path}.{key}", value))
        elif isinstance(part, list):
            todo += [(f"{path}[{index}]", value) for index, value in enumerate(part)]


def _leads_to_a_schema(schema: JsonObject, reference: str) -> bool:
    try:
        resolver = REGISTRY.resolver_with_root(DRAFT202012.create_resource(schema))
        target = resolver.lookup(reference).contents
    except Unresolvable:
        return False
    return isinstance(target, bool) or (isinstance(target, dict) and not faults_of_form(target))
