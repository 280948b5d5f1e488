"""Bounds: depth, length and range of every field, where a message is made and where it is read."""

import json
import math
from datetime import UTC, datetime, timedelta, timezone
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from contract.golden_messages import NAMES, golden
from cordyna_core.contract.base import ErrorDescription, Message
from cordyna_core.contract.commands import InvokeTask
from cordyna_core.contract.declaration import TaskDeclaration, Upstream
from cordyna_core.contract.envelope import (
    Envelope,
    MalformedEvent,
    detail_json,
    open_envelope,
    seal,
)
from cordyna_core.contract.json_values import require_json
from cordyna_core.contract.limits import MAX_JSON_DEPTH
from cordyna_core.contract.time import EARLIEST, LATEST

AT: Final = datetime(2026, 1, 2, tzinfo=UTC)


def nested(depth: int, *, as_objects: bool = False) -> Any:
    value: Any = {} if as_objects else []
    for _ in range(depth - 1):
        value = {"x": value} if as_objects else [value]
    return value


ODD: Final[list[Any]] = [
    nested(MAX_JSON_DEPTH),
    nested(MAX_JSON_DEPTH + 1),
    nested(150, as_objects=True),
    nested(5000),
    math.nan,
    math.inf,
    -math.inf,
    1e308,
    -(10**400),
    10**5000,
    2**63,
    -1,
    0,
    True,
    None,
    "",
    "\ud800",
    "\x00",
    "x" * 300,
    "x" * 100_000,
    "0000-01-01T00:00:00Z",
    "0001-01-01T00:00:00+23:59",
    "9999-12-31T23:59:59-23:59",
    "9999-12-31T23:59:59.999999Z",
    "1969-12-31T23:59:59Z",
    "2026-01-01T00:00:00",
    [1, {"a": math.nan}],
    {"\udcff": 1},
]


def paths(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The path of every field and element of a JSON value."""
    items = (
        value.items()
        if isinstance(value, dict)
        else enumerate(value)
        if isinstance(value, list)
        else ()
    )
    return [path, *(below for key, item in items for below in paths(item, (*path, key)))]


def with_value(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    if not path:
        return new
    key, *rest = path
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[key] = with_value(value[key], tuple(rest), new)
    return copy


def require_usable(envelope: Envelope) -> None:
    """What everything behind `open_envelope` does with a message."""
    text = seal(envelope.message, envelope.source, envelope.event_id, envelope.time)
    again = open_envelope(text)
    assert again.message == envelope.message
    assert json.loads(text, parse_constant=pytest.fail)
    for moment in (envelope.sent_at, envelope.time):
        assert moment.timestamp() >= 0
        for hours in (-23, 23):
            moment.astimezone(timezone(timedelta(hours=hours)))
    assert len(envelope.id) <= 256


CASES = [(name, path) for name in NAMES for path in paths(golden(name)) if path]


@pytest.mark.parametrize(("name", "path"), CASES, ids=lambda part: str(part))  # noqa: PLW0108
def test_open_odd_value_anywhere_is_refused_or_usable(name: str, path: tuple[Any, ...]) -> None:
    for odd in ODD:
        try:
            text = json.dumps(with_value(golden(name), path, odd))
        except (RecursionError, ValueError):
            continue
        try:
            envelope = open_envelope(text)
        except MalformedEvent as malformed:
            problems = malformed.problems
        else:
            problems = []
            require_usable(envelope)
        assert sum(len(problem.message) for problem in problems) < 100_000


@given(
    st.sampled_from(CASES),
    st.recursive(
        st.none()
        | st.booleans()
        | st.integers()
        | st.floats()
        | st.text(st.characters(codec=None, exclude_categories=()))
        | st.datetimes().map(lambda time: time.isoformat() + "Z"),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    ),
)
def test_open_any_value_anywhere_is_refused_or_usable(
    case: tuple[str, tuple[Any, ...]], value: Any
) -> None:
    name, path = case
    try:
        envelope = open_envelope(json.dumps(with_value(golden(name), path, value)))
    except MalformedEvent:
        return
    require_usable(envelope)


@given(st.binary())
def test_open_any_bytes_is_refused(data: bytes) -> None:
    with pytest.raises(MalformedEvent):
        open_envelope(data)


@pytest.mark.parametrize("depth", [MAX_JSON_DEPTH + 1, 1000, 100_000])
@pytest.mark.parametrize("as_objects", [False, True])
def test_make_message_too_deep_is_refused(depth: int, *, as_objects: bool) -> None:
    with pytest.raises(ValidationError, match="nested deeper than 100 levels"):
        InvokeTask(task="t", params={"x": nested(depth, as_objects=as_objects)})


@pytest.mark.parametrize("params", [{"x": math.nan}, {"x": [10**5000]}, {"\ud800": 1}])
def test_make_message_not_json_is_refused(params: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        InvokeTask(task="t", params=params)


def test_require_json_deepest_allowed_is_unchanged() -> None:
    value = nested(MAX_JSON_DEPTH, as_objects=True)

    assert require_json(value) is value
    assert json.loads(detail_json(InvokeTask(task="t", params=value))) == {
        "task": "t",
        "params": value,
        "labels": {},
    }


@pytest.mark.parametrize("within_s", [0, -1, 10**12, 10**400])
def test_within_s_out_of_range_is_refused(within_s: int) -> None:
    with pytest.raises(ValidationError):
        Upstream(task="t", within_s=within_s)


@pytest.mark.parametrize("moment", [EARLIEST - timedelta(seconds=1), LATEST + timedelta(seconds=1)])
def test_time_out_of_range_is_refused(moment: datetime) -> None:
    with pytest.raises(ValidationError, match=r"1970-01-01T00:00:00Z|9999-12-30T00:00:00Z"):
        InvokeTask(task="t", scheduled_at=moment)


@pytest.mark.parametrize("character", ["m", "é", "🙂", "\ud800"])
def test_error_description_is_cut_by_its_bytes(character: str) -> None:
    error = ErrorDescription(
        type="T" * 999, message=character * 9999, traceback=character * 9999 + "end"
    )

    assert error.traceback is not None
    texts = [error.type, error.message, error.traceback]
    assert 4093 <= sum(len(text.encode()) for text in texts) <= 4096
    assert (len(error.type), error.traceback[-3:]) == (256, "end")


def test_error_description_of_short_texts_keeps_a_long_traceback() -> None:
    error = ErrorDescription(type="T", message="m", traceback="a" * 4094)
    assert error.traceback == "a" * 4094


def test_schema_too_deep_is_refused() -> None:
    with pytest.raises(ValidationError, match="nested deeper"):
        TaskDeclaration(name="t", params_schema={"default": nested(101)})


def test_every_message_is_frozen() -> None:
    for name in NAMES:
        message: Message = open_envelope(json.dumps(golden(name))).message
        with pytest.raises(ValidationError, match="frozen"):
            message.meta = None  # type: ignore[misc]


@pytest.mark.parametrize(
    ("value", "place"),
    [
        (math.nan, ""),
        ({"rows": [{"price": 1.0}, {"price": math.inf}]}, " (at rows.1.price)"),
        ([{"x" * 200: -math.inf}], f" (at 0.{'x' * 98})"),
    ],
)
def test_number_that_is_not_finite_is_located(value: Any, place: str) -> None:
    with pytest.raises(ValueError, match="NaN and infinity") as refused:
        require_json(value)

    assert str(refused.value) == f"NaN and infinity are not JSON{place}: use null or a text"
    assert require_json({"text": "NaN"}) == {"text": "NaN"}
