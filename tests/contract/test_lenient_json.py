"""Lenient JSON: strict JSON is read as it is, and what JSON cannot carry is still refused."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic_core import to_json

from cordyna_core.contract.json_values import MAX_DIGITS, require_json
from cordyna_core.contract.lenient_json import read_leniently, with_whole_characters
from cordyna_core.contract.limits import MAX_JSON_DEPTH

ANY_TEXT = st.text(st.characters(exclude_categories=()))
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | ANY_TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(ANY_TEXT, inner, max_size=4),
)


@given(VALUES, st.booleans())
def test_json_is_read_as_it_is(value: Any, ascii_only: bool) -> None:  # noqa: FBT001
    assert read_leniently(json.dumps(value, ensure_ascii=ascii_only)) == value


@given(VALUES)
def test_whole_characters_can_be_sent(value: Any) -> None:
    whole = with_whole_characters(value)
    assert json.loads(to_json(whole, inf_nan_mode="constants")) == whole
    assert with_whole_characters(whole) == whole


@given(st.integers(0, 300), st.sampled_from(["[?]", '{"x":?}']))
def test_depth_is_refused_as_it_was(depth: int, level: str) -> None:
    """Also with brackets in a text, which open nothing."""
    text = '"]}[{\\""'
    for _ in range(depth):
        text = level.replace("?", text)
    value = read_leniently(text)
    if depth <= MAX_JSON_DEPTH:
        assert require_json(value) == json.loads(text)
    else:
        with pytest.raises(ValueError, match="nested deeper"):
            require_json(value)


@pytest.mark.parametrize("depth", [150, 5_000, 200_000])
def test_value_after_deep_ones_is_read(depth: int) -> None:
    deep = "[" * depth + '"x"' + "]" * depth
    event = read_leniently(f'{{"a":{deep},"b":[{deep},{{"c":{deep}}}],"id":"e"}}')
    assert event["id"] == "e"
    assert event["b"][1].keys() == {"c"}


@pytest.mark.parametrize("digits", [MAX_DIGITS, MAX_DIGITS + 1, 100_000])
def test_number_that_is_too_long_is_refused(digits: int) -> None:
    for text in ("9" * digits, "-" + "9" * digits):
        value = read_leniently(text)
        if len(text) <= MAX_DIGITS:
            assert require_json(value) == int(text)
        else:
            with pytest.raises(ValueError, match=r"not JSON|digits"):
                require_json(value)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('\ufeff {"a":1}', {"a": 1}),
        ('{"a":"\x01\n"}', {"a": "\x01\n"}),
        ('{"a":1} and more', {"a": 1}),
        (b'{"a":"\xff"}', {"a": "\udcff"}),
        ('"\\ud83d"', "\ud83d"),
    ],
)
def test_what_strict_json_refuses_is_read(text: str | bytes, value: Any) -> None:
    assert read_leniently(text) == value


@pytest.mark.parametrize("text", ["", "nonsense", '{"a":', "[" * 100_000, '{"a":[' + "[" * 500])
def test_text_without_json_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"Expecting|delimiter"):
        read_leniently(text)
