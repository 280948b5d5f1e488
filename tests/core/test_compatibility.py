"""Whether every output of a task suits what another expects: named cases, and a property.

The oracle of the property is jsonschema: where the answer is `compatible`, no value that is valid
for what is produced is refused by what is expected.
"""

from typing import Any, Final

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from cerebro.core.validation.compatibility import compare
from world.schema_strategies import SCHEMAS, VALUES, changed

ROWS: Final = {"rows": {"type": "integer"}}


def an_object(properties: dict[str, Any], *required: str, **more: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(required), **more}


CLOSED: Final = {"additionalProperties": False}
NUMBER: Final = {"type": "number"}
WHOLE: Final = {"type": "integer"}
TEXT: Final = {"type": "string"}
NODE: Final = {
    "$defs": {"Node": an_object({"next": {"anyOf": [{"$ref": "#/$defs/Node"}, {"type": "null"}]}})},
    "$ref": "#/$defs/Node",
}
DEEP: Final = {
    "$defs": {
        f"d{n}": an_object({name: {"$ref": f"#/$defs/d{n + 1}"} for name in "ab"}, **CLOSED)
        for n in range(50)
    }
    | {"d50": WHOLE},
    "$ref": "#/$defs/d0",
}


@pytest.mark.parametrize(
    ("produced", "expected"),
    [
        (WHOLE, WHOLE),
        (WHOLE, NUMBER),
        (WHOLE, {}),
        (WHOLE, {"description": "anything"}),
        ({"enum": ["a", 1]}, {"type": ["string", "integer"]}),
        ({"const": "a"}, {"enum": ["a", "b"]}),
        ({"type": "boolean"}, {"enum": [True, False, None]}),
        ({"type": ["string", "null"]}, {"anyOf": [TEXT, {"type": "null"}]}),
        ({"anyOf": [WHOLE, TEXT]}, {"anyOf": [{"type": "null"}, NUMBER, TEXT]}),
        ({"type": "integer", "minimum": 1}, {"type": "number", "exclusiveMinimum": 0}),
        ({"type": "integer", "exclusiveMinimum": 0}, {"type": "integer", "minimum": 1}),
        ({"type": "string", "maxLength": 3}, {"type": "string", "maxLength": 4}),
        ({"type": "string", "format": "date"}, {"type": "string", "format": "date"}),
        (an_object({**ROWS, "more": TEXT}, "rows", "more"), an_object(ROWS, "rows")),
        (an_object(ROWS, "rows", **CLOSED), an_object({**ROWS, "day": TEXT}, "rows")),
        (an_object(ROWS, "rows", **CLOSED), an_object(ROWS, **CLOSED)),
        ({"type": "array", "items": WHOLE}, {"type": "array", "items": NUMBER}),
        (
            {"type": "array", "prefixItems": [WHOLE, TEXT], "minItems": 2, "maxItems": 2},
            {"type": "array", "items": {"type": ["integer", "string"]}},
        ),
        ({"type": "object", "additionalProperties": WHOLE}, {"additionalProperties": NUMBER}),
        (NODE, NODE),
        (DEEP, DEEP),
        (WHOLE, {"allOf": [NUMBER, {"type": "integer"}]}),
    ],
)
def test_compatible_schemas_have_no_finding(
    produced: dict[str, Any], expected: dict[str, Any]
) -> None:
    assert compare(produced, expected).reasons == ()
    assert compare(produced, expected).kind == "compatible"


@pytest.mark.parametrize(
    ("produced", "expected", "reason"),
    [
        (an_object({}, **CLOSED), an_object(ROWS, "rows"), '"rows" is gone'),
        (an_object(ROWS), an_object(ROWS, "rows"), '"rows" may be missing'),
        (an_object({"rows": TEXT}, "rows"), an_object(ROWS), '"rows" is string, not integer'),
        (an_object(ROWS), an_object({}, **CLOSED), '"rows" is not expected'),
        (NUMBER, WHOLE, "is number, not integer"),
        ({"type": ["string", "null"]}, TEXT, "may be null"),
        ({"enum": ["a", "c"]}, {"enum": ["a", "b"]}, 'may be "c"'),
        (TEXT, {"enum": ["a"]}, "may be another value than the expected ones"),
        ({"const": True}, {"const": 1}, "may be true"),
        (TEXT, {"anyOf": [WHOLE, {"type": "null"}]}, "fits no alternative"),
        (
            an_object({}, **CLOSED),
            {"anyOf": [an_object(ROWS, "rows"), {"type": "null"}]},
            '"rows" is gone',
        ),
        (WHOLE, {"type": "integer", "minimum": 0}, "may be less than 0"),
        (WHOLE, {"type": "integer", "exclusiveMaximum": 9}, "may be 9 or more"),
        (TEXT, {"type": "string", "minLength": 1}, "may have fewer than 1 characters"),
        ({"type": "array"}, {"type": "array", "maxItems": 2}, "may have more than 2 items"),
        (
            {"type": "array", "items": an_object({}, **CLOSED)},
            {"type": "array", "items": an_object(ROWS, "rows")},
            '"[].rows" is gone',
        ),
    ],
)
def test_break_is_found_with_its_place(
    produced: dict[str, Any], expected: dict[str, Any], reason: str
) -> None:
    verdict = compare(produced, expected)
    assert (verdict.kind, verdict.reasons) == ("breaks", (reason,))


@pytest.mark.parametrize(
    ("produced", "expected", "reason"),
    [
        (None, WHOLE, "it does not declare what it returns"),
        ({}, WHOLE, "it is not said what it is"),
        (TEXT, {"type": "string", "pattern": "^a"}, "pattern is not compared"),
        (TEXT, {"type": "string", "format": "date"}, "format is not compared"),
        (an_object(ROWS), an_object(ROWS, **CLOSED), "it may send more than is expected"),
        (an_object({}), an_object(ROWS), '"rows": it is not said what it is'),
        ({"properties": ROWS}, an_object(ROWS), "its type is not said"),
        ({"const": "a"}, {"pattern": "b"}, 'it is not decided whether "a" is accepted'),
        (
            {"type": "integer", "multipleOf": 2},
            {"type": "integer", "minimum": 0},
            "may be less than 0",
        ),
        (WHOLE, {"$ref": "#/$defs/Gone"}, "its schema is outside of what is compared"),
        (
            WHOLE,
            {"$defs": {"a": {"$ref": "#/$defs/a"}}, "$ref": "#/$defs/a"},
            "its schema is outside of what is compared",
        ),
        (
            WHOLE,
            {"$defs": {"a": NUMBER}, "$ref": "#/$defs/a", "minimum": 0},
            "its schema is outside of what is compared",
        ),
        (
            {"type": "integer", "minimum": 0},
            {"oneOf": [{"type": "integer", "minimum": 0}, {"type": "integer", "maximum": -1}]},
            "several alternatives are possible",
        ),
    ],
)
def test_what_is_not_decided_is_said(
    produced: dict[str, Any] | None, expected: dict[str, Any], reason: str
) -> None:
    verdict = compare(produced, expected)
    assert (verdict.kind, verdict.reasons) == ("cannot_tell", (reason,))


def test_schema_whose_references_multiply_is_not_decided() -> None:
    twice = {"anyOf": [{"$ref": "#/$defs/a"}, {"$ref": "#/$defs/a"}]}
    endless = {"$defs": {"a": twice}, **twice}
    assert compare({"const": 1}, endless).kind == "cannot_tell"
    assert compare(endless, {"type": "string"}).kind == "compatible"


def test_many_reasons_are_counted() -> None:
    names = [f"n{number}" for number in range(30)]
    expected = an_object(dict.fromkeys(names, WHOLE), *names)
    reasons = compare(an_object({}, **CLOSED), expected).reasons
    assert (len(reasons), reasons[-1]) == (11, "and 20 more")


@settings(max_examples=400, suppress_health_check=list(HealthCheck), deadline=None)
@given(st.data())
def test_compatible_means_that_no_output_is_refused(data: st.DataObject) -> None:
    produced = data.draw(SCHEMAS)
    expected = data.draw(SCHEMAS | changed(produced) | st.just(produced))
    if compare(produced, expected).kind != "compatible":
        return
    valid, accepted = Draft202012Validator(produced), Draft202012Validator(expected)
    for value in data.draw(st.lists(VALUES, min_size=20, max_size=40)):
        if valid.is_valid(value):
            assert accepted.is_valid(value), (produced, expected, value)
