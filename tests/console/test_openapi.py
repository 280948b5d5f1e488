"""The description of the API: published, current, and true under a fuzzer."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import Phase, given, settings
from schemathesis.checks import CheckFunction
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from console.consoles import ACCESS, BEARER, CHANGES, HOST, a_console, an_engine
from cordyna_console.app import build_app
from cordyna_console.openapi import openapi_text

PUBLISHED = Path(__file__).parents[2] / "docs/api/openapi.json"
STREAMS = re.compile(r"/live$")
CHECKS: list[CheckFunction] = [
    schemathesis.checks.not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]


def test_published_description_is_current() -> None:
    assert PUBLISHED.read_text() == openapi_text(), "next: make api"


def test_every_address_is_described_with_its_errors() -> None:
    document = json.loads(openapi_text())
    assert document["openapi"].startswith("3.1")
    for path, methods in document["paths"].items():
        for operation in methods.values():
            assert operation["summary"], path
            assert operation["description"], path
            assert {"400", "401", "403", "404"} <= set(operation["responses"]), path
            for status, answer in operation["responses"].items():
                if status >= "400":
                    assert set(answer["content"]) == {"application/problem+json"}, (path, status)


def test_every_integer_of_an_address_has_a_maximum() -> None:
    """A number that the storage cannot hold is a fault of the request, and never of the console."""
    for path, methods in json.loads(openapi_text())["paths"].items():
        for operation in methods.values():
            for parameter in operation.get("parameters", []):
                schema = parameter["schema"]
                for choice in schema.get("anyOf", [schema]):
                    if choice.get("type") == "integer":
                        assert choice["maximum"] < 2**63, (path, parameter["name"])


@pytest.fixture(scope="module")
def app() -> Iterator[Any]:
    with an_engine() as engine:
        yield build_app(a_console(engine), lambda: ACCESS)


def operations() -> list[str]:
    document = json.loads(openapi_text())
    return [
        f"{method.upper()} {path}"
        for path, methods in document["paths"].items()
        for method in methods
        if not STREAMS.search(path)
    ]


@pytest.mark.parametrize("operation", operations())
def test_fuzzed_requests_are_answered_as_described(app: Any, operation: str) -> None:
    """Whatever is sent, the answer is one that the description lists, and never a fault."""
    schema = schemathesis.openapi.from_dict(json.loads(openapi_text()))
    schema.app = app
    method, _, path = operation.partition(" ")
    headers = {**(BEARER if method == "GET" else CHANGES), "Host": HOST}

    @given(case=schema[path][method].as_strategy())
    @settings(max_examples=15, phases=[Phase.generate], database=None)
    def fuzz(case: Any) -> None:
        answer = case.call(base_url=f"http://{HOST}", headers=headers)
        case.validate_response(answer, checks=CHECKS, headers=headers)

    fuzz()
