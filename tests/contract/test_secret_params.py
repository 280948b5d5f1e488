"""Secrets among params: where they are, what is a reference, and what is kept instead."""

from typing import Any, Final

import pytest
from pydantic import BaseModel, RootModel, SecretStr

from cordyna_core.contract.secret_params import (
    REDACTED,
    has_secrets,
    is_reference,
    plain_secret_problems,
    plain_secrets,
    redacted,
    secret_names,
    without_secrets,
)


class Login(BaseModel):
    user: str
    password: SecretStr


class Params(BaseModel):
    token: SecretStr
    login: Login | None = None
    logins: list[Login] = []
    keys: dict[str, SecretStr] = {}
    day: str = "today"
    node: "Node | None" = None


class Node(BaseModel):
    key: SecretStr
    next: "Node | None" = None


SCHEMA: Final = Params.model_json_schema()
ENDLESS: Final[dict[str, Any]] = {
    "$defs": {"a": {"anyOf": [{"$ref": "#/$defs/a"}, {"$ref": "#/$defs/a"}]}},
    "properties": {"x": {"$ref": "#/$defs/a"}},
}


@pytest.mark.parametrize(
    "text",
    ["env:TOKEN", "ssm:/team/token", "ssm:token", "secretsmanager:a/b-1", "file:/run/secrets/x"],
)
def test_reference_names_where_a_secret_is(text: str) -> None:
    assert is_reference(text)


@pytest.mark.parametrize(
    "value", ["hunter2", "env:", "env:1A", "env:A B", "ENV:A", "file:", "file:a\nb", "", 5, None]
)
def test_any_other_value_is_no_reference(value: object) -> None:
    assert not is_reference(value)


PLAIN: Final = {
    "token": "plain-1",
    "login": {"user": "u", "password": "plain-2"},
    "logins": [{"user": "u", "password": "env:OK"}, {"user": "u", "password": "plain-3"}],
    "keys": {"a": "plain-4", "b": "file:/b"},
    "day": "env:NOT_A_SECRET",
    "node": {"key": "env:OK", "next": {"key": "plain-5"}},
}


def test_plain_secrets_are_found_wherever_they_are() -> None:
    assert plain_secrets(PLAIN, SCHEMA) == [
        "token",
        "login.password",
        "logins[1].password",
        "keys.a",
        "node.next.key",
    ]


def test_secret_names_are_those_of_the_nearest_fields() -> None:
    assert secret_names(SCHEMA) == {"token", "password", "keys", "key"}
    assert secret_names(ENDLESS) == frozenset()


class Tokens(RootModel[list[SecretStr]]):
    """A list of secrets, which parameters share."""


class Shared(BaseModel):
    read: Tokens
    write: Tokens


def test_secret_names_that_share_one_schema_are_all_found() -> None:
    schema = Shared.model_json_schema()
    assert schema["properties"]["read"] == schema["properties"]["write"]
    assert secret_names(schema) == {"read", "write"}


@pytest.mark.parametrize(
    ("value", "places"),
    [
        ({"logins": "plain"}, ["logins"]),
        ({"logins": {"password": "plain"}}, ["logins"]),
        ({"logins": ["plain", {"password": "env:OK"}]}, ["logins[0]"]),
        ({"keys": ["plain"]}, ["keys"]),
        ({"login": ["plain"]}, ["login"]),
        ({"login": None, "keys": {}, "logins": []}, []),
        ({"logins": 5, "keys": True}, []),
        ({"logins": "env:OK"}, []),
        ({"day": ["plain"]}, []),
    ],
)
def test_value_in_another_form_may_be_the_secret(value: Any, places: list[str]) -> None:
    assert plain_secrets(value, SCHEMA) == places


def test_redacted_params_have_no_plain_secret() -> None:
    kept = redacted(PLAIN, SCHEMA)

    assert "plain-" not in str(kept)
    assert kept["login"] == {"user": "u", "password": REDACTED}
    assert kept["logins"][0] == PLAIN["logins"][0]  # type: ignore[index]
    assert (kept["keys"]["b"], kept["day"]) == ("file:/b", "env:NOT_A_SECRET")
    assert plain_secrets(kept, SCHEMA) == plain_secrets(PLAIN, SCHEMA)


def test_null_and_absent_secrets_are_no_plain_values() -> None:
    assert plain_secrets({"token": None, "login": None}, SCHEMA) == []


def test_value_of_another_type_is_a_plain_secret() -> None:
    assert plain_secrets({"token": {"value": 5}}, SCHEMA) == ["token"]


def test_problem_names_param_and_tasks_and_never_the_value() -> None:
    tasks = [(f"t{number} (s)", SCHEMA) for number in range(7)]
    (problem, *_) = plain_secret_problems([*tasks, ("other", {})], {"token": "hunter2"})
    assert problem.code == "plain_secret"
    assert problem.message == (
        "parameter token is a secret of t0 (s), t1 (s), t2 (s), t3 (s), t4 (s) and 2 more, and was "
        "given as a plain value: give env:NAME, ssm:/path, secretsmanager:id or file:path"
    )


def test_schema_without_secrets_accepts_references() -> None:
    assert has_secrets(SCHEMA)
    open_schema = without_secrets(SCHEMA)
    assert not has_secrets(open_schema)
    assert open_schema["properties"]["token"] == {}
    assert open_schema["properties"]["day"] == SCHEMA["properties"]["day"]


def test_schema_without_end_ends() -> None:
    assert plain_secrets({"x": {"x": 1}}, ENDLESS) == []
    assert not has_secrets(ENDLESS)
