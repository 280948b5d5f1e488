"""Results: which outputs are accepted, and how errors are described."""

import enum
import math
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from cordyna_core import TerminalError
from cordyna_core.contract.base import ErrorDescription
from cordyna_core.contract.limits import MAX_OUTPUT_BYTES
from cordyna_core.server.result import describe, json_output
from server.builders import result_of


class Row(BaseModel):
    day: datetime
    amount: float


@dataclass
class Point:
    x: int


class Colour(enum.Enum):
    RED = "red"


def error_of(value: Any) -> ErrorDescription:
    """The error of a body that returns `value`."""
    result = result_of(lambda: value)
    assert result.reason == "failed_terminal"
    assert result.error is not None
    return result.error


def raised(error: BaseException) -> BaseException:
    with pytest.raises(type(error)) as caught:
        raise error
    return caught.value


def size_of(description: ErrorDescription) -> int:
    return sum(
        len((text or "").encode())
        for text in (description.type, description.message, description.traceback)
    )


def test_output_plain_json_is_unchanged() -> None:
    for value in (None, True, 1, 2.5, "ü", [1, [2]], {"a": {"b": None}}):
        assert json_output(value) == value


def test_output_models_dates_and_sets_become_json() -> None:
    day = datetime(2026, 1, 2, tzinfo=UTC)

    assert json_output({"row": Row(day=day, amount=1), "at": day}) == {
        "row": {"day": "2026-01-02T00:00:00Z", "amount": 1.0},
        "at": "2026-01-02T00:00:00Z",
    }
    assert json_output([Point(1), Colour.RED, (1, 2), {3}]) == [{"x": 1}, "red", [1, 2], [3]]


def test_output_unknown_type_is_named() -> None:
    error = error_of({"handle": object()})

    assert error.type == "OutputNotJson"
    assert "<class 'object'>" in error.message
    assert error.traceback is None


@pytest.mark.parametrize("value", [math.nan, [math.inf], {"a": -math.inf}])
def test_output_nan_or_infinity_is_refused(value: Any) -> None:
    error = error_of(value)

    assert error.type == "OutputNotJson"
    assert "finite numbers" in error.message


def test_output_cycle_or_broken_text_is_refused() -> None:
    cycle: list[Any] = []
    cycle.append(cycle)

    assert error_of(cycle).type == "OutputNotJson"
    assert error_of("\ud800").type == "OutputNotJson"


@pytest.mark.parametrize(
    "value",
    [
        {1: "a", "1": "b"},
        {"rows": [{None: 1, "None": 2}]},
        {datetime(2026, 1, 1, tzinfo=UTC): 1, "2026-01-01T00:00:00Z": 2},
        {1.0: "a", "1.0": "b"},
        {True: 1, "true": 2},
    ],
)
def test_output_keys_that_become_equal_are_refused(value: Any) -> None:
    assert "several keys that become" in error_of(value).message


@given(
    st.dictionaries(
        st.integers(-2, 2) | st.sampled_from(["0", "1", "-1", "x"]) | st.none(),
        st.integers(),
    )
)
def test_output_of_any_keys_keeps_every_value(value: dict[Any, int]) -> None:
    result = result_of(lambda: value)

    if result.state == "completed":
        assert sorted(result.output.values()) == sorted(value.values())
    else:
        assert len({str(key) for key in value}) < len(value)


def test_output_too_deep_nesting_is_refused() -> None:
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]

    assert error_of(deep).type == "OutputNotJson"


def test_output_above_16_kb_is_refused() -> None:
    fits = "x" * (MAX_OUTPUT_BYTES - 2)  # and two quotes

    assert result_of(lambda: fits).output == fits
    error = error_of(fits + "x")
    assert error.type == "OutputTooLarge"
    assert (
        error.message == "the output is 16385 bytes of JSON, more than 16384: "
        "store it, and return a reference to it"
    )


def test_output_size_is_counted_in_bytes() -> None:
    assert error_of("ü" * 8192).type == "OutputTooLarge"


def test_describe_traceback_begins_at_user_code() -> None:
    def inner() -> None:
        raise ValueError("no rows")

    def body() -> None:
        inner()

    error = result_of(body).error

    assert error is not None
    assert error.traceback is not None
    lines = error.traceback.splitlines()
    assert lines[0] == "Traceback (most recent call last):"
    assert "in body" in lines[1]
    assert lines[-1] == "ValueError: no rows"
    assert "task_server.py" not in error.traceback


def test_describe_chain_of_errors_is_complete() -> None:
    def body() -> None:
        try:
            dict[str, int]()["cause"]
        except KeyError as cause:
            raise TerminalError("effect") from cause

    error = result_of(body).error

    assert error is not None
    assert "KeyError: 'cause'" in (error.traceback or "")
    assert "direct cause" in (error.traceback or "")


def test_describe_long_error_is_cut_to_4_kb() -> None:
    described = describe(raised(type("E" * 999, (Exception,), {})("ü" * 9000)))

    assert size_of(described) <= 4096
    assert described.type.endswith("...")
    assert described.message.startswith("üü")
    assert described.message.endswith("...")
    assert (described.traceback or "").startswith("...")
    assert (described.traceback or "").endswith("ü\n")


def test_describe_error_whose_text_raises_is_described() -> None:
    class Odd(Exception):
        def __str__(self) -> str:
            raise RuntimeError

    described = describe(raised(Odd()))

    assert described.type == "Odd"
    assert described.message == "(no message: RuntimeError while it was written)"
    assert "Odd" in (described.traceback or "")


def test_describe_unprintable_traceback_is_described(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise OSError("the source cannot be read")

    monkeypatch.setattr("traceback.format_exception", broken)

    assert (
        describe(raised(ValueError("x"))).traceback
        == "(no traceback: OSError while it was written)"
    )


def test_describe_broken_text_is_escaped() -> None:
    described = describe(raised(ValueError("a\ud800b")))

    assert described.message == "a?b"
