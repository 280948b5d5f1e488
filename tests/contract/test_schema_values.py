"""Whether a JSON value fits a schema, beside jsonschema as the oracle."""

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from cordyna_core.contract.schema_values import (
    TooManySteps,
    equal,
    faults_of_plain_value,
    is_valid,
    resolve,
)
from world.schema_strategies import SCHEMAS, VALUES

CLEAN = {
    "type": "object",
    "properties": {
        "rows": {"type": "integer", "minimum": 0},
        "days": {"type": "array", "items": {"type": "string", "minLength": 2}, "maxItems": 2},
        "kind": {"enum": ["a", "b"]},
        "one": {"const": 1},
        "share": {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1},
        "pair": {"prefixItems": [{"type": "string"}], "items": False},
        "next": {"anyOf": [{"$ref": "#"}, {"type": "null"}]},
        "both": {"allOf": [{"type": "string"}, {"minLength": 3}]},
    },
    "required": ["rows"],
    "additionalProperties": False,
}


@pytest.mark.parametrize(
    ("value", "faults"),
    [
        ({"rows": 3, "next": {"rows": 0}, "days": ["mo"], "share": 0.5}, []),
        ({"rows": 3.0, "next": None, "pair": ["a"]}, []),
        ({}, ["rows: it is missing"]),
        ([], ["it is not of type object"]),
        ({"rows": True}, ["rows: it is not of type integer"]),
        ({"rows": -1}, ["rows: -1 is less than 0"]),
        ({"rows": 1, "more": 1}, ["more: it is not expected"]),
        ({"rows": 1, "kind": "c"}, ["kind: it is not one of 'a', 'b'"]),
        ({"rows": 1, "one": True}, ["one: it is not 1"]),
        ({"rows": 1, "share": 1}, ["share: 1 is not less than 1"]),
        ({"rows": 1, "share": 0}, ["share: 0 is not more than 0"]),
        ({"rows": 1, "days": ["m"]}, ["days.0: it has 1 characters, fewer than 2"]),
        ({"rows": 1, "days": ["mo"] * 3}, ["days: it has 3 items, more than 2"]),
        ({"rows": 1, "pair": ["a", "b"]}, ["pair.1: it is not expected"]),
        ({"rows": 1, "next": {"rows": -1}}, ["next: it fits none of the alternatives"]),
        ({"rows": 1, "both": "ab"}, ["both: it has 2 characters, fewer than 3"]),
    ],
)
def test_value_that_does_not_fit_has_its_place(value: Any, faults: list[str]) -> None:
    assert list(faults_of_plain_value(value, CLEAN)) == faults


def test_reference_to_nothing_refuses_nothing() -> None:
    assert is_valid(5, {"$ref": "#/$defs/gone"}, {})
    assert is_valid(5, {"$ref": "https://example.com"}, {})


def test_reference_leads_through_escaped_names() -> None:
    root = {"$defs": {"a/b~c": {"type": "string"}}, "$ref": "#/$defs/a~1b~0c"}
    assert resolve(root, root) == {"type": "string"}


def test_references_without_end_are_not_decided() -> None:
    twice = {"anyOf": [{"$ref": "#/$defs/a"}, {"$ref": "#/$defs/a"}]}
    endless = {"$defs": {"a": twice}, **twice}
    with pytest.raises(TooManySteps):
        list(faults_of_plain_value(1, endless))


@pytest.mark.parametrize(
    ("one", "other", "is_equal"),
    [(1, 1.0, True), (1, True, False), ([0], [False], False), ({"a": [1]}, {"a": [1.0]}, True)],
)
def test_json_values_are_equal_by_value_and_kind(one: Any, other: Any, *, is_equal: bool) -> None:
    assert equal(one, other) is is_equal


@settings(max_examples=300, suppress_health_check=list(HealthCheck), deadline=None)
@given(schema=SCHEMAS, values=st.lists(VALUES, min_size=10, max_size=20))
def test_value_refused_here_is_refused_by_json_schema(schema: Any, values: list[Any]) -> None:
    oracle = Draft202012Validator(schema)
    for value in values:
        if list(faults_of_plain_value(value, schema)):
            assert not oracle.is_valid(value), (schema, value)
