"""Schema values: whether a JSON value fits a JSON Schema, for the keywords that types lead to.

Invariant: a value that is refused here is refused by the whole of JSON Schema, too. Keywords that
are not known here (`pattern`, `format`, ...) refuse nothing.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

Schema = Mapping[str, Any] | bool

STEPS_MAX: Final = 100_000
DEPTH_MAX: Final = 200
"""Of one check: references may multiply, and lead to each other, without end."""

_REFERENCES_MAX: Final = 50
_NO_ALTERNATIVE: Final = "it fits none of the alternatives"


class TooManySteps(ValueError):
    """A check that is longer or deeper than a check may be: it is not decided."""


_KIND_OF: Final[dict[str, Callable[[Any], bool]]] = {
    "null": lambda value: value is None,
    "boolean": lambda value: isinstance(value, bool),
    "integer": lambda value: _is_number(value) and value == int(value),
    "number": lambda value: _is_number(value),  # noqa: PLW0108  defined below
    "string": lambda value: isinstance(value, str),
    "array": lambda value: isinstance(value, list),
    "object": lambda value: isinstance(value, dict),
}


def faults_of_plain_value(value: Any, schema: Schema) -> Iterator[str]:
    """Yield what does not fit, `rows: -1 is less than 0`, in the order of the value.

    Raises TooManySteps.
    """
    for path, fault in _Check(schema).faults(value, schema):
        yield f"{'.'.join(path)}: {fault}" if path else fault


def is_valid(value: Any, schema: Schema, root: Schema) -> bool:
    """Return whether a value fits a part of the schema `root`. Raises TooManySteps."""
    return next(_Check(root).faults(value, schema), None) is None


def resolve(schema: Schema, root: Schema) -> Schema | None:
    """Return what a schema refers to within `root`; itself without `$ref`; None: nothing there."""
    for _ in range(_REFERENCES_MAX):
        if isinstance(schema, bool) or "$ref" not in schema:
            return schema
        target = _at(schema["$ref"], root)
        if target is None:
            return None
        schema = target
    return None


def equal(one: Any, other: Any) -> bool:
    """Return whether two JSON values are the same; True is not 1."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(equal, one, other))
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(equal(one[key], other[key]) for key in one)
    return bool(one == other)


def types_of(schema: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the types that a schema names; none if it names none."""
    named = schema.get("type", ())
    return (named,) if isinstance(named, str) else tuple(named)


def is_of_type(value: Any, kind: str) -> bool:
    """Return whether a value has a type of JSON Schema; 1.0 is an integer."""
    return _KIND_OF[kind](value) if kind in _KIND_OF else True


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _at(reference: Any, root: Schema) -> Schema | None:
    if not isinstance(reference, str) or not reference.startswith("#"):
        return None
    found: Any = root
    for step in filter(None, reference[1:].split("/")):
        name = step.replace("~1", "/").replace("~0", "~")
        if not isinstance(found, dict) or name not in found:
            return None
        found = found[name]
    return found if isinstance(found, dict | bool) else None


Fault = tuple[tuple[str, ...], str]


class _Check:
    """One check against parts of the schema `root`."""

    def __init__(self, root: Schema) -> None:
        self._root = root
        self._steps = 0

    def faults(self, value: Any, schema: Schema, depth: int = 0) -> Iterator[Fault]:
        self._steps += 1
        if self._steps > STEPS_MAX or depth > DEPTH_MAX:
            raise TooManySteps
        if isinstance(schema, bool):
            if not schema:
                yield (), "it is not expected"
            return
        if "$ref" in schema:
            target = resolve(schema, self._root)
            if target is not None:
                yield from self.faults(value, target, depth + 1)
        yield from _faults_of_type(value, schema)
        yield from self._faults_of_union(value, schema, depth + 1)
        if isinstance(value, str):
            yield from _outside(len(value), schema, "minLength", "maxLength", "characters")
        elif isinstance(value, list):
            yield from _outside(len(value), schema, "minItems", "maxItems", "items")
            yield from self._faults_of_items(value, schema, depth + 1)
        elif isinstance(value, dict):
            yield from self._faults_of_object(value, schema, depth + 1)
        elif _is_number(value):
            yield from _outside_bounds(value, schema)

    def _faults_of_union(
        self, value: Any, schema: Mapping[str, Any], depth: int
    ) -> Iterator[Fault]:
        for keyword in ("anyOf", "oneOf"):
            branches = schema.get(keyword)
            if not branches:
                continue
            first = [next(self.faults(value, branch, depth), None) for branch in branches]
            if all(first):
                yield first[0] if len(first) == 1 and first[0] else ((), _NO_ALTERNATIVE)
        for branch in schema.get("allOf", ()):
            yield from self.faults(value, branch, depth)

    def _faults_of_items(
        self, value: list[Any], schema: Mapping[str, Any], depth: int
    ) -> Iterator[Fault]:
        first = schema.get("prefixItems", ())
        for index, item in enumerate(value):
            of_item = first[index] if index < len(first) else schema.get("items", True)
            for path, fault in self.faults(item, of_item, depth):
                yield (str(index), *path), fault

    def _faults_of_object(
        self, value: dict[str, Any], schema: Mapping[str, Any], depth: int
    ) -> Iterator[Fault]:
        for name in schema.get("required", ()):
            if name not in value:
                yield (name,), "it is missing"
        properties = schema.get("properties", {})
        # A pattern may allow a name that is listed nowhere.
        others = True if "patternProperties" in schema else schema.get("additionalProperties", True)
        for name, item in value.items():
            for path, fault in self.faults(item, properties.get(name, others), depth):
                yield (name, *path), fault


def _faults_of_type(value: Any, schema: Mapping[str, Any]) -> Iterator[Fault]:
    types = types_of(schema)
    if types and not any(is_of_type(value, kind) for kind in types):
        yield (), f"it is not of type {' or '.join(types)}"
    if "const" in schema and not equal(value, schema["const"]):
        yield (), f"it is not {schema['const']!r}"
    if "enum" in schema and not any(equal(value, allowed) for allowed in schema["enum"]):
        yield (), f"it is not one of {', '.join(map(repr, schema['enum']))}"


def _outside(
    size: int, schema: Mapping[str, Any], least: str, most: str, unit: str
) -> Iterator[Fault]:
    if size < schema.get(least, size):
        yield (), f"it has {size} {unit}, fewer than {schema[least]}"
    if size > schema.get(most, size):
        yield (), f"it has {size} {unit}, more than {schema[most]}"


def _outside_bounds(value: float, schema: Mapping[str, Any]) -> Iterator[Fault]:
    if value < schema.get("minimum", value):
        yield (), f"{value} is less than {schema['minimum']}"
    if value > schema.get("maximum", value):
        yield (), f"{value} is more than {schema['maximum']}"
    if "exclusiveMinimum" in schema and value <= schema["exclusiveMinimum"]:
        yield (), f"{value} is not more than {schema['exclusiveMinimum']}"
    if "exclusiveMaximum" in schema and value >= schema["exclusiveMaximum"]:
        yield (), f"{value} is not less than {schema['exclusiveMaximum']}"
