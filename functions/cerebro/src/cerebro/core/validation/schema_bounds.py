"""Schema bounds: whether bounds and lengths of one schema lie within those of another.

Invariant: no finding means that every number, text or list within the first is within the second.
"""

import math
from collections.abc import Iterator, Mapping
from typing import Any, Final

ANNOTATIONS: Final = frozenset(
    {
        "title",
        "description",
        "default",
        "examples",
        "deprecated",
        "readOnly",
        "writeOnly",
        "discriminator",
        "$comment",
        "$schema",
        "$id",
        "$defs",
    }
)
"""Keywords that allow and refuse nothing."""

_LENGTHS: Final = {
    "string": ("minLength", "maxLength", "characters"),
    "array": ("minItems", "maxItems", "items"),
}

BoundFault = tuple[bool, str]
"""(whether it is certain, what it is)."""


def is_plain(schema: bool | Mapping[str, Any]) -> bool:  # noqa: FBT001  a schema may be a boolean
    """Return whether a schema allows every value."""
    return schema is True or (
        not isinstance(schema, bool) and all(keyword in ANNOTATIONS for keyword in schema)
    )


def bound_faults(
    kind: str, given: Mapping[str, Any], wanted: Mapping[str, Any]
) -> Iterator[BoundFault]:
    """Yield how values of one type within `given` may be outside of `wanted`."""
    if kind in ("integer", "number"):
        yield from _number_faults(kind, given, wanted)
    elif kind in _LENGTHS:
        least, most, unit = _LENGTHS[kind]
        if given.get(least, 0) < wanted.get(least, 0):
            yield True, f"may have fewer than {wanted[least]} {unit}"
        if most in wanted and given.get(most, math.inf) > wanted[most]:
            yield True, f"may have more than {wanted[most]} {unit}"
        if wanted.get("format") == "decimal":
            yield from _decimal_faults(given, wanted)


def _decimal_faults(given: Mapping[str, Any], wanted: Mapping[str, Any]) -> Iterator[BoundFault]:
    """Yield the bounds of a decimal number as a text, unless both have the same."""
    for keyword in _OF_DECIMALS:
        if keyword in wanted and given.get(keyword) != wanted[keyword]:
            yield False, f"has a bound: {keyword} {wanted[keyword]}"


_OF_DECIMALS: Final = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum")


def _number_faults(
    kind: str, given: Mapping[str, Any], wanted: Mapping[str, Any]
) -> Iterator[BoundFault]:
    is_whole = kind == "integer"
    if _least(given, whole=is_whole) < _least(wanted, whole=is_whole):
        low = wanted.get("minimum", wanted.get("exclusiveMinimum"))
        yield True, f"may be less than {low}" if "minimum" in wanted else f"may be {low} or less"
    if _most(given, whole=is_whole) < _most(wanted, whole=is_whole):
        high = wanted.get("maximum", wanted.get("exclusiveMaximum"))
        yield True, f"may be more than {high}" if "maximum" in wanted else f"may be {high} or more"


Bound = tuple[float, int]
"""(value, 1 if the value itself is excluded): the higher pair is the narrower bound."""


def _least(schema: Mapping[str, Any], *, whole: bool) -> Bound:
    bounds: list[Bound] = [(-math.inf, 0)]
    if "minimum" in schema:
        bounds.append((math.ceil(schema["minimum"]) if whole else schema["minimum"], 0))
    if "exclusiveMinimum" in schema:
        bound = schema["exclusiveMinimum"]
        bounds.append((math.floor(bound) + 1, 0) if whole else (bound, 1))
    return max(bounds)


def _most(schema: Mapping[str, Any], *, whole: bool) -> Bound:
    """Return the upper bound with its sign changed: the higher pair is the narrower bound."""
    bounds: list[Bound] = [(-math.inf, 0)]
    if "maximum" in schema:
        bounds.append((-math.floor(schema["maximum"]) if whole else -schema["maximum"], 0))
    if "exclusiveMaximum" in schema:
        bound = schema["exclusiveMaximum"]
        bounds.append((-(math.ceil(bound) - 1), 0) if whole else (-bound, 1))
    return max(bounds)
