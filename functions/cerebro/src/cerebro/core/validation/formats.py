"""Formats: which texts are a date, a duration, a URI, ... in the values of parameters.

Invariant: a text is of a format exactly if the library for task servers accepts it for a parameter
of that type, so a wrong value is refused before anything runs. A format that is not in the table is
not checked.
"""

import ipaddress
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from jsonschema import Draft202012Validator
from jsonschema.exceptions import FormatError
from pydantic_core import SchemaValidator, core_schema


@dataclass(frozen=True, slots=True)
class Format:
    """How a format is checked, and an example of it."""

    validator: Callable[[], SchemaValidator]
    example: str


def _of_schema(schema: core_schema.CoreSchema) -> Callable[[], SchemaValidator]:
    # Built when it is first used: building all of them takes 5 ms.
    return cache(lambda: SchemaValidator(schema))


def _of_type(kind: Callable[[str], object]) -> Callable[[], SchemaValidator]:
    return _of_schema(core_schema.no_info_plain_validator_function(kind))


FORMATS: Final[dict[str, Format]] = {
    "date-time": Format(_of_schema(core_schema.datetime_schema()), "2026-01-31T06:00:00Z"),
    "date": Format(_of_schema(core_schema.date_schema()), "2026-01-31"),
    "time": Format(_of_schema(core_schema.time_schema()), "06:30:00"),
    "duration": Format(_of_schema(core_schema.timedelta_schema()), "PT1H30M"),
    "decimal": Format(_of_schema(core_schema.decimal_schema()), "12.50"),
    "complex": Format(_of_schema(core_schema.complex_schema()), "1+2j"),
    "uuid": Format(_of_schema(core_schema.uuid_schema()), "0f8fad5b-d9cb-469f-a165-70867728950e"),
    "uri": Format(_of_schema(core_schema.url_schema()), "https://example.org/path"),
    "multi-host-uri": Format(
        _of_schema(core_schema.multi_host_url_schema()), "postgres://host-1,host-2/db"
    ),
    "ipv4": Format(_of_type(ipaddress.IPv4Address), "192.0.2.1"),
    "ipv6": Format(_of_type(ipaddress.IPv6Address), "2001:db8::1"),
    "ipv4network": Format(_of_type(ipaddress.IPv4Network), "192.0.2.0/24"),
    "ipv6network": Format(_of_type(ipaddress.IPv6Network), "2001:db8::/32"),
    "ipv4interface": Format(_of_type(ipaddress.IPv4Interface), "192.0.2.1/24"),
    "ipv6interface": Format(_of_type(ipaddress.IPv6Interface), "2001:db8::1/32"),
    "ipvanyaddress": Format(_of_type(ipaddress.ip_address), "192.0.2.1"),
    "ipvanynetwork": Format(_of_type(ipaddress.ip_network), "192.0.2.0/24"),
    "ipvanyinterface": Format(_of_type(ipaddress.ip_interface), "192.0.2.1/24"),
    **{
        f"uuid{version}": Format(
            _of_schema(core_schema.uuid_schema(version=version)),
            f"0f8fad5b-d9cb-{version}69f-a165-70867728950e",
        )
        for version in (1, 3, 4, 5, 6, 7, 8)
    },
}
"""The formats that pydantic writes, by name."""

_STANDARD: Final = Draft202012Validator.FORMAT_CHECKER
"""The other formats of JSON Schema (email, regex, json-pointer, ...)."""


def fault_of_format(name: Any, text: str) -> str | None:
    """Return why a text is not of a format; None if it is, or if the format is not known."""
    known = FORMATS.get(name) if isinstance(name, str) else None
    if known is None:
        try:
            _STANDARD.check(text, name)
        except FormatError:
            return f"is not of the format {name}"
        return None
    if known.validator().isinstance_python(text):
        return None
    return f"is not of the format {name}, such as {known.example}"
