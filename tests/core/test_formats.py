"""Formats: a value that cerebro accepts for a parameter, the body accepts as well."""

import datetime as dt
import ipaddress
import uuid
from collections.abc import Sequence
from decimal import Decimal
from typing import Annotated, Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import UUID4, AnyUrl, AwareDatetime, Field, HttpUrl, NaiveDatetime, PostgresDsn

from cerebro.core.validation.json_schema import faults_of_schema, faults_of_value
from cordyna_core.contract.json_values import JsonObject
from cordyna_core.server.parameters import InvalidParams, Parameters

TYPES: Final[dict[str, Any]] = {
    "datetime": dt.datetime,
    "aware": AwareDatetime,
    "naive": NaiveDatetime,
    "date": dt.date,
    "time": dt.time,
    "duration": dt.timedelta,
    "decimal": Decimal,
    "price": Annotated[Decimal, Field(ge=0, lt=1000, max_digits=5, decimal_places=2)],
    "tenths": Annotated[Decimal, Field(multiple_of=0.1)],
    "digits": Annotated[Decimal, Field(max_digits=4)],
    "complex": complex,
    "uuid": uuid.UUID,
    "uuid4": UUID4,
    "url": AnyUrl,
    "http": HttpUrl,
    "postgres": PostgresDsn,
    "ipv4": ipaddress.IPv4Address,
    "network": ipaddress.IPv6Network,
    "interface": ipaddress.IPv4Interface,
    "int": int,
    "sevens": Annotated[int, Field(multiple_of=7)],
    "hundredths": Annotated[float, Field(multiple_of=0.5, gt=-1)],
    "numbers": set[int],
    "by number": dict[int, str],
    "by date": dict[dt.date, int],
    "dates": list[dt.date],
    "maybe": dt.date | None,
}
# A signature cannot be written with the types of a table.
PARAMETERS: Final = {}
for _name, _type in TYPES.items():

    def _body(p: Any) -> None: ...

    _body.__annotations__["p"] = _type
    PARAMETERS[_name] = Parameters(_body, _name.replace(" ", "-"))


def schema_of(name: str) -> JsonObject:
    schema = PARAMETERS[name].schema
    assert schema is not None
    return schema


def is_checked(name: str, value: Any) -> bool:
    """Whether cerebro accepts a value for a parameter of this type."""
    return not list(faults_of_value(schema_of(name), {"p": value}))


def is_bound(name: str, value: Any) -> bool:
    """Whether the body is called with it."""
    try:
        PARAMETERS[name].bind({"p": value})
    except InvalidParams:
        return False
    return True


@pytest.mark.parametrize("name", TYPES)
def test_schema_of_a_type_is_accepted(name: str) -> None:
    assert faults_of_schema(schema_of(name)) == []


@pytest.mark.parametrize(
    ("name", "accepted", "refused"),
    [
        ("datetime", ["2026-01-31T06:00:00Z", "2026-01-31T06:00:00"], ["yesterday", "25:99", ""]),
        ("aware", ["2026-01-31T06:00:00+02:00"], ["2026-01-01T00:00:00", "tomorrow"]),
        ("naive", ["2026-01-01T00:00:00"], ["2026-01-31T06:00:00Z", "0", "-12.5"]),
        ("date", ["2026-01-31"], ["2026-02-30", "31.1.2026", "20260131x"]),
        ("time", ["06:30", "06:30:00"], ["25:99", "noon"]),
        ("duration", ["PT1H30M", "01:00:00", "P1D"], ["1h", "soon", "90"]),
        ("decimal", ["12345678901234567890.12", "-1", 3, 0.1], ["abc", "1,5", ""]),
        ("price", ["0.10", 999.99, "0"], ["-1", "1000", "1.001", 1.001, "12345.6"]),
        ("tenths", ["0.3", 0.3, "1e2"], ["0.35", 0.35]),
        ("digits", ["1234", "0.001"], ["12345", "0.00001"]),
        ("uuid", ["0f8fad5b-d9cb-469f-a165-70867728950e"], ["0f8fad5b", "x" * 36]),
        ("uuid4", [str(uuid.UUID(int=1, version=4))], [str(uuid.UUID(int=1, version=1))]),
        ("url", ["https://example.org/x", "ftp://host"], ["not a url", "/path"]),
        ("http", ["https://example.org"], ["ftp://host", "https:"]),
        ("postgres", ["postgres://user@host-1,host-2/db"], ["mysql://host", "host"]),
        ("ipv4", ["192.0.2.1"], ["192.0.2.256", "2001:db8::1"]),
        ("network", ["2001:db8::/32"], ["2001:db8::1/32", "10.0.0.0/8"]),
        ("sevens", [14, 7 * 10**300], [15, 10**400, "14"]),
        ("hundredths", [0.5, 1e300], [-1, 0.3]),
        ("numbers", [[1, 2], []], [[1, 1], [1, 1.0], ["a"]]),
        ("by number", [{"1": "a", "-2": "b"}], [{"01": "a"}, {"x": "a"}, {"1.0": "a"}]),
        ("by date", [{"2026-01-31": 1}], [{"monday": 1}]),
        ("dates", [["2026-01-31"]], [["2026-01-31", "monday"]]),
        ("maybe", [None, "2026-01-31"], ["monday"]),
    ],
)  # fmt: skip
def test_value_is_checked_as_the_body_does(
    name: str, accepted: Sequence[Any], refused: Sequence[Any]
) -> None:
    assert [value for value in accepted if not is_checked(name, value)] == []
    assert [value for value in accepted if not is_bound(name, value)] == []
    assert [value for value in refused if is_checked(name, value)] == []


TEXTS = (
    st.text(max_size=40)
    | st.datetimes().map(str)
    | st.datetimes().map(lambda time: time.isoformat() + "Z")
    | st.dates().map(str)
    | st.times().map(str)
    | st.timedeltas().map(str)
    | st.decimals().map(str)
    | st.uuids().map(str)
    | st.ip_addresses().map(str)
    | st.integers().map(str)
    | st.from_regex(r"[0-9+:TZP.-]{1,25}", fullmatch=True)
    | st.from_regex(r"(https?|ftp|file|postgres):/{0,3}[a-z0-9@:/?#.,-]{0,20}", fullmatch=True)
)
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=4,
)


@given(st.sampled_from(sorted(TYPES)), VALUES)
def test_any_value_accepted_before_is_accepted_by_the_body(name: str, value: Any) -> None:
    if is_checked(name, value):
        assert is_bound(name, value)


@given(st.sampled_from(["datetime", "date", "time", "duration", "decimal", "complex"]), TEXTS)
def test_any_text_is_accepted_by_both_or_neither(name: str, text: str) -> None:
    assert is_checked(name, text) == is_bound(name, text)


def test_unknown_format_is_not_checked() -> None:
    schema = {"type": "object", "properties": {"p": {"type": "string", "format": "colour"}}}

    assert list(faults_of_value(schema, {"p": "red"})) == []


def test_standard_format_is_checked() -> None:
    schema = {"type": "object", "properties": {"p": {"type": "string", "format": "email"}}}

    assert list(faults_of_value(schema, {"p": "red"})) == [
        ("p", "'red' is not of the format email")
    ]


def test_choice_names_the_fault_of_the_schema_that_fits() -> None:
    assert list(faults_of_value(schema_of("decimal"), {"p": "abc"})) == [
        ("p", "'abc' is not of the format decimal, such as 12.50")
    ]
    assert list(faults_of_value(schema_of("maybe"), {"p": "abc"})) == [
        ("p", "'abc' is not of the format date, such as 2026-01-31")
    ]


def test_pattern_with_a_comment_shows_it() -> None:
    ((_, fault),) = faults_of_value(schema_of("aware"), {"p": "2026-01-01T00:00:00"})
    assert fault.endswith(": it needs an offset, such as Z or +02:00")


@pytest.mark.parametrize("bound", ["many", None, [], {}])
def test_keyword_with_odd_bound_is_not_checked(bound: Any) -> None:
    schema = {
        "type": "object",
        "properties": {"p": {"type": "number", "maxDigits": bound, "decimalPlaces": bound}},
    }

    assert list(faults_of_value(schema, {"p": 1.5})) == []


def test_unique_items_of_many_objects_is_checked_in_linear_time() -> None:
    schema = {"type": "object", "properties": {"p": {"uniqueItems": True}}}
    rows = [{"a": number} for number in range(20_000)]

    assert list(faults_of_value(schema, {"p": rows})) == []
    assert list(faults_of_value(schema, {"p": [*rows, {"a": 7.0}]})) == [
        ("p", "{'a': 7.0} comes twice")
    ]
