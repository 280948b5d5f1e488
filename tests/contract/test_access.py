"""Who may depend on a task, and who may invoke it."""

import pytest
from pydantic import TypeAdapter, ValidationError

from cordyna_core.contract.access import AccessEntry, may_consume, may_invoke
from cordyna_core.contract.ids import CLIENT, SCHEDULER, server_source


@pytest.mark.parametrize(
    ("server", "consumers", "allowed"),
    [
        ("b", None, True),
        ("b", [], False),
        ("a", [], True),
        ("b", ["b"], True),
        ("b2", ["b"], False),
        ("reporting.daily", ["reporting.*"], True),
        ("reporting", ["reporting.*"], False),
        ("reports", ["reporting.*"], False),
        ("not.reporting.daily", ["reporting.*"], False),
        ("b", ["*"], True),
    ],
)
def test_consumer_is_allowed_by_its_name(
    server: str, consumers: list[str] | None, *, allowed: bool
) -> None:
    assert may_consume(server, "a", consumers) is allowed


@pytest.mark.parametrize(
    ("source", "invokers", "allowed"),
    [
        (server_source("b"), None, True),
        (server_source("b"), [], False),
        (server_source("a"), [], True),
        (server_source("b"), ["b"], True),
        (server_source("client.b"), ["client.*"], False),
        (server_source("b"), ["client.b"], False),
        (f"{CLIENT}.ci", None, True),
        (f"{CLIENT}.ci", [], False),
        (f"{CLIENT}.ci", ["client.ci"], True),
        (f"{CLIENT}.ci", ["client.c*"], True),
        (f"{CLIENT}.ci", ["ci"], False),
        (f"{CLIENT}.ci", ["*"], True),
        (CLIENT, [], True),
        (SCHEDULER, [], True),
    ],
)
def test_invoker_is_allowed_by_its_source(
    source: str, invokers: list[str] | None, *, allowed: bool
) -> None:
    assert may_invoke(source, "a", invokers) is allowed


@pytest.mark.parametrize("entry", ["b", "b*", "*", "client.ci", "client.*", "team.b-1"])
def test_entry_is_a_name_with_a_star_at_the_end(entry: str) -> None:
    assert TypeAdapter(AccessEntry).validate_python(entry) == entry


@pytest.mark.parametrize("entry", ["", "*b", "b**", "a*b", "-b", "b c", 5, None])
def test_other_text_is_no_entry(entry: object) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(AccessEntry).validate_python(entry)
