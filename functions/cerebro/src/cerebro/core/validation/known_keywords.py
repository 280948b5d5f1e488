"""Known keywords: what of one JSON Schema takes part in a comparison (`compatibility`).

Invariant: a keyword that is not listed here is never compared by its meaning: it is the same on
both sides, or the comparison cannot tell.
"""

import json
from collections.abc import Mapping
from typing import Any, Final

from cerebro.core.validation.schema_bounds import ANNOTATIONS
from cordyna_core.contract.schema_values import Schema, equal, resolve, types_of

_SAME_ON_BOTH_SIDES: Final = frozenset(
    {
        "pattern",
        "format",
        "multipleOf",
        "uniqueItems",
        "minProperties",
        "maxProperties",
        "maxDigits",
        "decimalPlaces",
        "contentEncoding",
        "contentMediaType",
    }
)
"""Keywords whose value has no schema in it: the same on both sides, they decide nothing."""

WALKED: Final = frozenset(
    {
        "type",
        "enum",
        "const",
        "anyOf",
        "oneOf",
        "allOf",
        "$ref",
        "$defs",
        "properties",
        "required",
        "additionalProperties",
        "items",
        "prefixItems",
        "minimum",
        "maximum",
        "exclusiveMinimum",
        "exclusiveMaximum",
        "minLength",
        "maxLength",
        "minItems",
        "maxItems",
    }
)
_EXACT: Final = WALKED - {"oneOf", "allOf"}


def has_siblings(schema: Schema) -> bool:
    """Return whether a reference is narrowed by what is written beside it."""
    return (
        not isinstance(schema, bool)
        and "$ref" in schema
        and any(keyword not in ANNOTATIONS | {"$ref", "$defs"} for keyword in schema)
    )


def is_exact(schema: Mapping[str, Any]) -> bool:
    """Return whether all that a schema says is compared."""
    asserting = [keyword for keyword in schema if keyword not in ANNOTATIONS]
    return all(keyword in _EXACT for keyword in asserting) and (
        "anyOf" not in asserting or len(asserting) == 1
    )


def values_of(schema: Mapping[str, Any]) -> list[Any] | None:
    """Return all values that a schema allows, if they are listed."""
    if "const" in schema:
        return [schema["const"]]
    if "enum" in schema:
        return list(schema["enum"])
    by_type: dict[str, list[Any]] = {"boolean": [True, False], "null": [None]}
    types = types_of(schema)
    return by_type.get(types[0]) if len(types) == 1 else None


def branches_of(schema: Mapping[str, Any]) -> list[Schema]:
    """Return schemas that together allow at least what this one does."""
    for keyword in ("anyOf", "oneOf"):
        if schema.get(keyword):
            return list(schema[keyword])
    types = types_of(schema)
    return [{**schema, "type": kind} for kind in types] if len(types) > 1 else []


def is_same(keyword: str, given: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    """Return whether a keyword that is not walked means the same on both sides."""
    is_comparable = keyword in _SAME_ON_BOTH_SIDES or (
        # A reference leads to definitions that may differ.
        keyword == "propertyNames" and '"$ref"' not in json.dumps(wanted[keyword])
    )
    return is_comparable and equal(given.get(keyword), wanted[keyword])


def has_unknown_keyword(schema: Schema, root: Schema) -> bool:
    """Return whether a keyword that is not known may refuse a value."""
    met: set[int] = set()
    waiting = [schema]
    while waiting:
        part = waiting.pop()
        resolved = resolve(part, root)
        if resolved is None or has_siblings(part):
            return True
        if isinstance(resolved, bool) or id(resolved) in met:
            continue
        met.add(id(resolved))
        if any(keyword not in _EXACT and keyword not in ANNOTATIONS for keyword in resolved):
            return True
        waiting += [
            *resolved.get("anyOf", ()),
            *resolved.get("prefixItems", ()),
            *resolved.get("properties", {}).values(),
            resolved.get("items", True),
            resolved.get("additionalProperties", True),
        ]
    return False
