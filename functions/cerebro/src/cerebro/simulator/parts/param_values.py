"""Parameter values: which values fit the schema of a task, and one that does.

Invariant: this is the validator of jsonschema alone, without the bounds of cerebro's own check, so
the two can differ and the difference is found.
"""

from collections.abc import Mapping
from typing import Any, Final

from jsonschema import Draft202012Validator

from cordyna_core.contract.declaration import TaskDeclaration

_STRING: Final = {"type": "string"}
_CANDIDATES: Final[tuple[Any, ...]] = ("a", 1, 1.5, True, [], {}, None, "2026-11-28", 10, 100)


def fits(task: TaskDeclaration, params: Mapping[str, Any]) -> bool:
    """Return whether the values of `params` that the task takes fit its schema."""
    schema = task.params_schema or {}
    return all(
        _is_valid(schema, property_schema, params[name])
        for name, property_schema in schema.get("properties", {}).items()
        if name in params and not property_schema.get("writeOnly")
    )


def example_of(task: TaskDeclaration, name: str) -> Any:
    """Return a value that fits the parameter `name`.

    Raises LookupError if none of the usual ones does.
    """
    schema = task.params_schema or {}
    wanted = schema.get("properties", {}).get(name, {})
    candidates = (*wanted.get("examples", ()), *wanted.get("enum", ()), *_CANDIDATES)
    if "default" in wanted:
        candidates = (wanted["default"], *candidates)
    for value in candidates:
        if _is_valid(schema, wanted, value):
            return value
    raise LookupError(f"no usual value fits the parameter {name!r} of {task.name!r}")


def _is_valid(schema: Mapping[str, Any], wanted: Mapping[str, Any], value: Any) -> bool:
    if wanted == _STRING:
        return isinstance(value, str)
    definitions = {key: schema[key] for key in ("$defs", "definitions") if key in schema}
    return bool(Draft202012Validator({**definitions, **wanted}).is_valid(value))
