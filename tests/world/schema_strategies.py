"""Schemas and values: strategies of JSON Schemas whose keywords meet each other, and of values.

No reference leads only to itself: jsonschema, the oracle of the tests, does not end with one.
"""

from typing import Any, Final

from hypothesis import strategies as st

KEYS: Final = st.sampled_from(["a", "b", "c"])
PLAIN_VALUES: Final = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 3),
    st.sampled_from([0.5, 1.0, -2.5]),
    st.sampled_from(["", "a", "bb", "ccc"]),
)
VALUES: Final = st.recursive(
    PLAIN_VALUES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=6,
)


def _with(base: dict[str, Any], optional: dict[str, st.SearchStrategy[Any]]) -> Any:
    return st.fixed_dictionaries(
        {key: st.just(value) for key, value in base.items()}, optional=optional
    )


PLAIN_SCHEMAS: Final = st.one_of(
    st.just({}),
    st.just({"type": "null"}),
    st.just({"type": "boolean"}),
    st.lists(PLAIN_VALUES, min_size=1, max_size=3).map(lambda values: {"enum": values}),
    PLAIN_VALUES.map(lambda value: {"const": value}),
    st.lists(
        st.sampled_from(["null", "boolean", "integer", "number", "string", "array", "object"]),
        min_size=1,
        max_size=3,
        unique=True,
    ).map(lambda types: {"type": types}),
    _with(
        {},
        {
            "type": st.sampled_from(["integer", "number"]),
            "minimum": st.integers(-3, 3),
            "exclusiveMinimum": st.sampled_from([-2, 0, 0.5]),
            "maximum": st.integers(-3, 3),
            "exclusiveMaximum": st.sampled_from([-2, 0, 2.5]),
            "multipleOf": st.sampled_from([2, 0.5]),
        },
    ),
    _with({"type": "string"}, {"minLength": st.integers(0, 2), "maxLength": st.integers(0, 3)}),
    _with({"type": "string"}, {"pattern": st.sampled_from(["^a", "b"])}),
)


def _composed(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    schemas = inner | st.booleans()
    return st.one_of(
        st.lists(inner, min_size=1, max_size=3).map(lambda parts: {"anyOf": parts}),
        st.lists(inner, min_size=1, max_size=2).map(lambda parts: {"oneOf": parts}),
        st.lists(inner, min_size=1, max_size=2).map(lambda parts: {"allOf": parts}),
        _with(
            {"type": "object"},
            {
                "properties": st.dictionaries(KEYS, schemas, max_size=3),
                "required": st.lists(KEYS, max_size=2, unique=True),
                "additionalProperties": schemas,
                "patternProperties": st.fixed_dictionaries({"^a": inner}),
            },
        ),
        _with(
            {"type": "array"},
            {
                "items": schemas,
                "prefixItems": st.lists(schemas, min_size=1, max_size=2),
                "minItems": st.integers(0, 2),
                "maxItems": st.integers(0, 3),
                "uniqueItems": st.sampled_from([True]),
            },
        ),
    )


def _recursive(part: dict[str, Any]) -> dict[str, Any]:
    """A list of values, linked by references: its keys are those that are drawn."""
    next_one = {"anyOf": [{"$ref": "#/$defs/List"}, {"type": "null"}]}
    linked = {"a": {"$ref": "#/$defs/part"}, "b": next_one}
    listed = {"type": "object", "properties": linked, "required": ["a"]}
    return {"$defs": {"part": part, "List": listed}, "$ref": "#/$defs/List"}


TREES: Final = st.recursive(PLAIN_SCHEMAS, _composed, max_leaves=5)
SCHEMAS: Final = TREES | TREES.map(_recursive)


@st.composite
def changed(draw: st.DrawFn, schema: dict[str, Any]) -> dict[str, Any]:
    """A schema that is near another one: what teams change."""
    other = dict(schema)
    for key in list(other):
        if key not in ("$ref", "$defs") and draw(st.integers(0, 3)) == 0:
            del other[key]
    match draw(st.integers(0, 4)):
        case 0:
            return {"anyOf": [other, {"type": "null"}]} if "$defs" not in other else other
        case 1 if isinstance(other.get("properties"), dict):
            other["properties"] = {**other["properties"], draw(KEYS): draw(PLAIN_SCHEMAS)}
        case 2 if isinstance(other.get("required"), list):
            other["required"] = other["required"][:1]
        case 3:
            other["minimum"] = draw(st.integers(-3, 3))
    return other
