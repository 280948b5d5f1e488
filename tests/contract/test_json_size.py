"""The size of JSON data is that on the wire, also of data that cannot be sent."""

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from cordyna_core.contract.json_values import json_size

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda part: st.lists(part) | st.dictionaries(st.text(), part),
)


def plain_size(value: Any) -> int:
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return len(text.encode("utf-8", "surrogatepass"))


@given(values)
def test_json_size_equals_that_of_the_text(value: Any) -> None:
    assert json_size(value) == plain_size(value)


def test_json_size_of_half_characters_is_three_bytes_each() -> None:
    assert json_size("\ud800") == len('""') + 3
    assert json_size({"a": ["\udfff", "é"]}) == plain_size({"a": ["\udfff", "é"]})


def test_json_size_of_what_is_nested_deeply_is_counted() -> None:
    value: Any = 1
    for _ in range(400):
        value = [value]
    assert json_size(value) == 801


def test_json_size_of_numbers_that_json_has_not_is_counted() -> None:
    assert json_size([float("nan"), float("inf")]) == len("[NaN,Infinity]")
