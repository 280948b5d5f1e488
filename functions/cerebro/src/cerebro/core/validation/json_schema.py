"""Schemas: what a task may declare as the JSON Schema of its parameters, and whether values fit it.

It is imported where there is a schema: jsonschema takes 60 ms to import, and most tasks have no parameters.

Law: a schema that was accepted never makes cerebro fetch, and never makes it crash: what it refers to is in it, and is a schema.
"""

from collections.abc import Iterator
from typing import Any, Final

import jsonschema
import jsonschema.validators
from jsonschema.exceptions import ValidationError
from jsonschema_specifications import REGISTRY  # type: ignore[import-untyped]  # its one name is typed below
from referencing.exceptions import Unresolvable
from referencing.jsonschema import DRAFT202012

from cerebro.core.validation.keywords import KEYWORDS
from cerebro.core.validation.patterns import fault_of_pattern
from cerebro.core.validation.problems import quoted, shortened
from cordyna_core.contract.json_values import JsonObject

_DRAFT: Final = jsonschema.Draft202012Validator
_CHECKER: Final = jsonschema.validators.extend(_DRAFT, KEYWORDS)  # type: ignore[no-untyped-call]
_META_SCHEMA: Final = _DRAFT(_DRAFT.META_SCHEMA, format_checker=_DRAFT.FORMAT_CHECKER)
_REFERENCES: Final = frozenset({"$ref", "$dynamicRef"})
_PATTERN: Final = "pattern"
_NOT_SCHEMAS: Final = frozenset({"default", "const", "enum", "examples"})
_ONLY_AT_THE_ROOT: Final = frozenset({"$id", "$schema"})


def faults_of_schema(schema: JsonObject) -> list[str]:
    """Every reason why this is no schema of parameters, each with its place; empty when it is one."""
    faults = _faults_of_form(schema)
    if faults:
        return faults
    if schema.get("type") != "object":
        faults.append('$.type: must be "object", because parameters are given by name')
    if _names_patterns(schema):
        faults.append(
            "$: patternProperties cannot be used: give the values a pattern, or check the names in the task"
        )
    for path, key, value in _keywords(schema):
        if key in _ONLY_AT_THE_ROOT:
            faults.append(f"{path}.{key}: stands only at the root")
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


def faults_of_value(schema: JsonObject, given: JsonObject) -> Iterator[tuple[str, str]]:
    """(parameter, what is wrong) for every value that does not fit; that a required one is missing is not told here."""
    # A registry is given, because the default one fetches what it does not know.
    checker = _CHECKER(schema, registry=REGISTRY)
    try:
        for fault in checker.iter_errors(given):
            if not _is_a_missing_param(fault):
                yield fault.json_path.removeprefix("$."), shortened(_message_of(fault))
    except (RecursionError, OverflowError, Unresolvable) as beyond:
        yield "$", f"cannot be checked: {shortened(str(beyond))}"


def _message_of(fault: ValidationError) -> str:
    """The message; for a choice of schemas, that of the only one whose type fits the value."""
    faults_by_choice: dict[object, list[ValidationError]] = {}
    for part in fault.context or ():
        faults_by_choice.setdefault(part.relative_schema_path[0], []).append(part)
    fitting = [
        faults
        for faults in faults_by_choice.values()
        if not any(part.validator == "type" and not part.relative_path for part in faults)
    ]
    return _message_of(fitting[0][0]) if len(fitting) == 1 else str(fault.message)


def _faults_of_form(schema: JsonObject) -> list[str]:
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
    # Its patterns would be matched by Python's `re`, inside of jsonschema (see core/patterns.py).
    todo = [part]
    for each in todo:
        if isinstance(each, dict):
            if isinstance(each.get("patternProperties"), dict):
                return True
            todo += [value for key, value in each.items() if key not in _NOT_SCHEMAS]
        elif isinstance(each, list):
            todo += each
    return False


def _keywords(schema: JsonObject) -> Iterator[tuple[str, str, str]]:
    """(place, keyword, value) of every reference and pattern, and of every keyword that must not stand here."""
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
        found = (
            REGISTRY.resolver_with_root(DRAFT202012.create_resource(schema))
            .lookup(reference)
            .contents
        )
    except Unresolvable:
        return False
    return isinstance(found, bool) or (isinstance(found, dict) and not _faults_of_form(found))
