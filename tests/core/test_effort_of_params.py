"""Effort: every keyword checks a value in proportion to its size, and a check that grows ends."""

import sys
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any, Final

import pytest

from cerebro.core.planning.params import check_params
from cerebro.core.planning.planner import plan_invocation
from cerebro.core.validation.effort import (
    CHOICES_PER_STEP,
    CURRENT_EFFORT,
    EFFORT_MAX,
    Effort,
    EffortExceeded,
    counted,
)
from cerebro.core.validation.json_schema import faults_of_value
from cordyna_core.contract.limits import MAX_PARAMS_BYTES
from world.scenarios import a_world

TOO_LONG: Final = ("$", "takes too long to check: give fewer values, or declare a simpler schema")

NUMBERS: Final[Callable[[int], Any]] = lambda size: [1] * (size // 2)  # noqa: E731
OBJECTS: Final[Callable[[int], Any]] = lambda size: [{"a": n} for n in range(size // 12)]  # noqa: E731
NAMED: Final[Callable[[int], Any]] = lambda size: {f"k{n}": n for n in range(size // 14)}  # noqa: E731
TEXT: Final[Callable[[int], Any]] = lambda size: "a" * size  # noqa: E731
DIGITS: Final[Callable[[int], Any]] = lambda size: "1" * size  # noqa: E731

KEYWORDS: Final[dict[str, tuple[dict[str, Any], Callable[[int], Any]]]] = {
    "additionalProperties": ({"additionalProperties": {"type": "string"}}, NAMED),
    "allOf": ({"items": {"allOf": [{"type": "number"}]}}, NUMBERS),
    "anyOf": ({"items": {"anyOf": [{"type": "string"}, {"type": "number"}]}}, NUMBERS),
    "const": ({"const": [1, 2]}, NUMBERS),
    "contains": ({"contains": {"const": 2}}, NUMBERS),
    "decimalPlaces": ({"format": "decimal", "decimalPlaces": 2}, DIGITS),
    "dependentRequired": ({"dependentRequired": {"k1": ["gone"]}}, NAMED),
    "dependentSchemas": ({"dependentSchemas": {"k1": {"minProperties": 2}}}, NAMED),
    "enum": ({"items": {"enum": [2, 3]}}, NUMBERS),
    "exclusiveMaximum": ({"items": {"exclusiveMaximum": 0}}, NUMBERS),
    "exclusiveMinimum": ({"items": {"exclusiveMinimum": 1}}, NUMBERS),
    "format": ({"format": "date-time"}, TEXT),
    "format regex": ({"format": "regex"}, TEXT),
    "format email": ({"format": "email"}, TEXT),
    "if": ({"items": {"if": {"type": "number"}, "then": {"const": 1}}}, NUMBERS),
    "items": ({"items": {"type": "object"}}, NUMBERS),
    "maxDigits": ({"format": "decimal", "maxDigits": 3}, DIGITS),
    "maxItems": ({"maxItems": 1}, NUMBERS),
    "maxLength": ({"maxLength": 1}, TEXT),
    "maxProperties": ({"maxProperties": 1}, NAMED),
    "maximum": ({"items": {"maximum": 0}}, NUMBERS),
    "minContains": ({"contains": {"const": 1}, "minContains": 9}, NUMBERS),
    "minItems": ({"minItems": 1}, NUMBERS),
    "minLength": ({"minLength": 1}, TEXT),
    "minimum": ({"items": {"minimum": 2}}, NUMBERS),
    "multipleOf": ({"items": {"multipleOf": 0.1}}, NUMBERS),
    "not": ({"items": {"not": {"type": "number"}}}, NUMBERS),
    "oneOf": ({"items": {"oneOf": [{"type": "number"}, {"const": 1}]}}, NUMBERS),
    "pattern": ({"pattern": "^(a+)+$b"}, TEXT),
    "prefixItems": ({"prefixItems": [{"type": "string"}]}, NUMBERS),
    "properties": ({"properties": {"k1": {"type": "string"}}}, NAMED),
    "propertyNames": ({"propertyNames": {"maxLength": 1}}, NAMED),
    "required": ({"required": ["gone"]}, NAMED),
    "type": ({"type": "string"}, NUMBERS),
    "unevaluatedItems": ({"unevaluatedItems": False}, NUMBERS),
    "unevaluatedProperties": ({"unevaluatedProperties": False}, NAMED),
    "uniqueItems": ({"uniqueItems": True}, OBJECTS),
}


FAULT_FOR_EVERY_ITEM: Final = (
    "anyOf",
    "contains",
    "exclusiveMaximum",
    "exclusiveMinimum",
    "items",
    "maximum",
    "minimum",
    "enum",
    "not",
    "oneOf",
)
"""Here 65,536 items have a fault each: the check ends before all are described."""


def schema_of(part: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": {"p": part}}


def calls_of(schema: dict[str, Any], value: Any) -> int:
    """How many Python functions checking a value calls."""
    calls = 0

    def count(_: Any, event: str, __: Any) -> None:
        nonlocal calls
        calls += event == "call"

    previous = sys.getprofile()
    sys.setprofile(count)
    try:
        for _ in faults_of_value(schema, {"p": value}):
            pass
    finally:
        sys.setprofile(previous)
    return calls


@pytest.mark.parametrize("keyword", KEYWORDS)
def test_keyword_takes_time_in_proportion(keyword: str) -> None:
    part, value_of_size = KEYWORDS[keyword]
    schema = schema_of(part)
    once, twice = (calls_of(schema, value_of_size(size)) for size in (4096, 8192))
    assert twice <= 2.2 * once + 100


@pytest.mark.parametrize("keyword", KEYWORDS)
def test_keyword_checks_the_largest_params(keyword: str) -> None:
    part, value_of_size = KEYWORDS[keyword]
    value = value_of_size(MAX_PARAMS_BYTES)
    faults = list(faults_of_value(schema_of(part), {"p": value}))
    assert (TOO_LONG in faults) == (keyword in FAULT_FOR_EVERY_ITEM)


def test_reference_to_itself_twice_ends() -> None:
    """Each level of the value would double the work: 2 to the power of 40 steps."""
    branch = {"type": "array", "items": {"$ref": "#/$defs/a"}}
    schema = {
        **schema_of({"$ref": "#/$defs/a"}),
        "$defs": {"a": {"anyOf": [branch, {**branch, "minItems": 2}]}},
    }
    value: Any = 1
    for _ in range(40):
        value = [value]
    assert list(faults_of_value(schema, {"p": value}))[-1] == TOO_LONG


def test_effort_is_shared_by_the_schemas_of_one_check() -> None:
    effort = Effort(50)
    schema = schema_of({"items": {"type": "number"}})
    assert list(faults_of_value(schema, {"p": [1] * 30}, effort)) == []
    assert list(faults_of_value(schema, {"p": [1] * 30}, effort)) == [TOO_LONG]
    assert list(faults_of_value(schema, {"p": [1] * 30})) == []


def test_check_that_takes_too_long_refuses_the_invocation() -> None:
    choices = [{"const": n} for n in range(EFFORT_MAX // 1000)]
    schema = schema_of({"items": {"anyOf": choices}})
    world = a_world("a", a={"params_schema": schema})
    graph = world.store.read_graph()
    plan = plan_invocation(graph, "a")
    assert not isinstance(plan, tuple)
    problems = check_params(graph, plan, {"p": [-1] * 1000})
    assert problems[-1].code == "bad_param"
    assert "takes too long to check" in problems[-1].message


@pytest.mark.parametrize(("choices", "is_too_much"), [(1, False), (10 * CHOICES_PER_STEP, True)])
def test_long_list_of_choices_takes_more_steps(choices: int, *, is_too_much: bool) -> None:
    check = counted({"enum": lambda *_: None})["enum"]
    token = CURRENT_EFFORT.set(Effort(10))
    try:
        with pytest.raises(EffortExceeded) if is_too_much else nullcontext():
            assert list(check(None, ["x"] * choices, "x", {}) or ()) == []
    finally:
        CURRENT_EFFORT.reset(token)
