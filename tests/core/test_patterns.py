"""Patterns in declared schemas: matched as JSON Schema has it, and never for long."""

from typing import Any

import pytest

from cerebro.core.validation.json_schema import faults_of_schema, faults_of_value


def schema(**of_x: Any) -> dict[str, Any]:
    return {"type": "object", "properties": {"x": {"type": "string", **of_x}}}


@pytest.mark.parametrize(
    ("text", "fits"), [("abc-1", True), ("before abc-1 after", True), ("abc-", False), ("", False)]
)
def test_pattern_matches_anywhere_in_the_text(text: str, *, fits: bool) -> None:
    assert (list(faults_of_value(schema(pattern="abc-[0-9]"), {"x": text})) == []) is fits


def test_pattern_with_backtracking_is_matched_at_once() -> None:
    ((parameter, fault),) = faults_of_value(schema(pattern="^(a+)+$"), {"x": "a" * 5000 + "b"})

    assert parameter == "x"
    assert "does not match" in fault


@pytest.mark.parametrize("pattern", ["(?=look)ahead", r"(a)\1", "(unclosed"])
def test_pattern_not_linear_is_refused_when_declared(
    pattern: str,
) -> None:
    assert any("pattern" in fault for fault in faults_of_schema(schema(pattern=pattern)))


def test_pattern_properties_are_refused_with_the_way_out() -> None:
    (fault,) = faults_of_schema(
        {"type": "object", "properties": {"x": {"patternProperties": {"^a": {}}}}}
    )

    assert "patternProperties cannot be used" in fault


def test_pattern_inside_a_value_is_not_checked() -> None:
    assert faults_of_schema(schema(default="(", examples=[{"pattern": "("}])) == []
