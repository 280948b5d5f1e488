"""Secrets of a body: references are resolved in its process, and values do not leave it."""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError
from pydantic import BaseModel, Field, SecretBytes, SecretStr

from cordyna_core import TaskServer, UserError
from cordyna_core.aws import secrets as aws_secrets
from cordyna_core.server.result import TaskResult
from cordyna_core.server.secrets import MAX_SECRET_BYTES, SecretNotResolved, resolve_secret

VALUE = "hunter2-hunter2"


def a_server() -> TaskServer:
    server = TaskServer("a")

    @server.task
    def load(token: SecretStr, day: str = "today") -> list[str]:
        return [repr(token), str(len(token.get_secret_value())), day]

    return server


def failed(result: TaskResult) -> tuple[str, str, str | None]:
    assert result.error is not None
    return result.error.type, result.error.message, result.reason


def test_reference_is_resolved_for_the_body(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOAD_TOKEN", VALUE)
    result = a_server().test_run("load", token="env:LOAD_TOKEN")
    assert result.output == ["SecretStr('**********')", str(len(VALUE)), "today"]


def test_file_is_read_without_its_last_line_end(tmp_path: Path) -> None:
    file = tmp_path / "token"
    for content in (VALUE, f"{VALUE}\n", f"{VALUE}\r\n"):
        file.write_bytes(content.encode())
        assert resolve_secret(f"file:{file}") == VALUE


def test_default_that_is_a_reference_is_resolved(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOAD_TOKEN", VALUE)
    server = TaskServer("a")

    @server.task
    def load(token: SecretStr = SecretStr("env:LOAD_TOKEN"), plain: SecretStr | None = None) -> Any:  # noqa: B008
        return [len(token.get_secret_value()), plain]

    assert server.test_run("load").output == [len(VALUE), None]
    assert "LOAD_TOKEN" not in server.declaration.model_dump_json()


class Login(BaseModel):
    user: str = "u"
    password: SecretStr = SecretStr("env:LOAD_TOKEN")


@dataclass
class Logins:
    first: Login


@pytest.mark.parametrize(
    ("default", "place"),
    [
        ([SecretStr("env:LOAD_TOKEN")], "tokens"),
        ({"a": SecretBytes(b"env:LOAD_TOKEN")}, "tokens"),
        (Login(), "tokens"),
        (Logins(Login()), "tokens"),
    ],
)
def test_reference_within_a_default_is_refused(default: Any, place: str) -> None:
    """Nothing on the wire names it, so nothing resolves it: the body would take it for a secret."""

    def load(tokens: Any = default) -> None:
        del tokens

    with pytest.raises(UserError, match=f"a part of the default of {place} is the reference env:"):
        TaskServer("a").task(load)


def test_default_of_a_field_is_not_taken_for_the_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOAD_TOKEN", VALUE)
    server = TaskServer("a")

    @server.task
    def load(logins: list[Login]) -> list[int]:
        return [len(login.password.get_secret_value()) for login in logins]

    given = {"password": "env:LOAD_TOKEN"}
    assert server.test_run("load", logins=[given]).output == [len(VALUE)]
    kind, message, reason = failed(server.test_run("load", logins=[given, {"user": "v"}]))
    assert (kind, reason) == ("SecretNotResolved", "failed_terminal")
    assert message.startswith("logins[1].password is env:LOAD_TOKEN, unresolved")


def test_secret_that_looks_like_a_reference_is_a_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOAD_TOKEN", "env:HOME")
    result = a_server().test_run("load", token="env:LOAD_TOKEN")
    assert result.output == ["SecretStr('**********')", "8", "today"]


def test_secrets_within_models_are_resolved(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOAD_TOKEN", VALUE)

    class Account(BaseModel):
        user: str
        password: SecretStr = Field(min_length=15, max_length=15)

    server = TaskServer("a")

    @server.task
    def load(logins: list[Account]) -> int:
        return len(logins[0].password.get_secret_value())

    login = {"user": "u", "password": "env:LOAD_TOKEN"}
    assert server.test_run("load", logins=[login]).output == len(VALUE)


def test_plain_value_is_refused_by_the_server_too() -> None:
    kind, message, reason = failed(a_server().test_run("load", token=VALUE))
    assert (kind, reason) == ("SecretNotResolved", "failed_terminal")
    assert VALUE not in message
    assert "give env:NAME, ssm:/path, secretsmanager:id or file:path" in message


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        ("env:GONE_TOKEN", "env:GONE_TOKEN is not set in the environment of the task server"),
        ("file:/no/such/file", "file:/no/such/file cannot be read: No such file or directory"),
    ],
)
def test_reference_that_leads_to_nothing_names_itself(reference: str, message: str) -> None:
    kind, text, reason = failed(a_server().test_run("load", token=reference))
    assert (kind, reason) == ("SecretNotResolved", "failed_terminal")
    assert message in text


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\xff", "it is not text"),
        (b"x" * (MAX_SECRET_BYTES + 1), "has more than 65,536 bytes"),
        ("\u00e9".encode() * MAX_SECRET_BYTES, "has more than 65,536 bytes"),
    ],
)
def test_file_that_is_no_secret_is_refused(content: bytes, message: str, tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_bytes(content)
    with pytest.raises(SecretNotResolved, match=message):
        resolve_secret(f"file:{file}")


def test_value_does_not_occur_in_the_error_of_the_body(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOAD_TOKEN", VALUE)
    server = TaskServer("a")

    @server.task
    def load(token: SecretStr) -> None:
        raise ValueError(f"cannot log in with {token.get_secret_value()}")

    result = server.test_run("load", token="env:LOAD_TOKEN")
    assert result.error is not None
    assert result.error.message == "cannot log in with **********"
    assert VALUE not in result.error.model_dump_json()


def test_value_that_does_not_fit_does_not_occur_in_its_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("LOAD_TOKEN", VALUE)
    server = TaskServer("a")

    @server.task
    def load(token: Annotated[SecretStr, Field(max_length=3)]) -> None: ...

    result = server.test_run("load", token="env:LOAD_TOKEN")
    assert VALUE not in str(result)


class Answers:
    """A client of AWS that gives one answer, or raises it."""

    def __init__(self, answer: Any) -> None:
        self._answer = answer

    def __call__(self, service: str) -> "Answers":
        assert service in ("ssm", "secretsmanager")
        return self

    def get_parameter(self, *, Name: str, WithDecryption: bool) -> Any:  # noqa: N803  AWS's names
        assert WithDecryption, "else a SecureString is read as it is encrypted"
        return self.get_secret_value(SecretId=Name)

    def get_secret_value(self, *, SecretId: str) -> Any:  # noqa: N803
        assert SecretId == "team/token"
        if isinstance(self._answer, Exception):
            raise self._answer
        return self._answer


def refused_with(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": VALUE}}, "GetParameter")


def test_secrets_of_aws_are_read() -> None:
    parameter, secret = {"Parameter": {"Value": VALUE}}, {"SecretString": VALUE}
    assert aws_secrets.read_parameter("team/token", Answers(parameter)) == VALUE
    assert aws_secrets.read_secret("team/token", Answers(secret)) == VALUE


@pytest.mark.parametrize(
    ("answer", "reason", "retryable"),
    [
        (refused_with("ParameterNotFound"), "AWS answered ParameterNotFound", False),
        (refused_with("AccessDeniedException"), "AWS answered AccessDeniedException", False),
        (refused_with("ThrottlingException"), "AWS answered ThrottlingException", True),
        (EndpointConnectionError(endpoint_url="u"), "Could not connect", True),
    ],
)
def test_refusal_of_aws_is_retried_if_it_is_temporary(
    answer: Exception, reason: str, *, retryable: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def read(name: str) -> str:
        return aws_secrets.read_parameter(name, Answers(answer))

    monkeypatch.setitem(aws_secrets.READERS, "ssm", read)
    result = a_server().test_run("load", token="ssm:team/token")
    kind, message, state = failed(result)
    assert kind == "SecretNotResolved"
    assert message.startswith(f"ssm:team/token cannot be read: {reason}")
    assert state == ("failed" if retryable else "failed_terminal")
    assert VALUE not in str(result)


def test_binary_secret_is_refused() -> None:
    with pytest.raises(aws_secrets.SecretUnavailable, match="it is binary: store it as text"):
        aws_secrets.read_secret("team/token", Answers({"SecretBinary": b"x"}))


def test_extra_that_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "cordyna_core.aws.secrets", raising=False)
    monkeypatch.setitem(sys.modules, "botocore", None)
    monkeypatch.setitem(sys.modules, "botocore.exceptions", None)
    with pytest.raises(SecretNotResolved, match=r"pip install 'cordyna-core\[aws\]'"):
        resolve_secret("secretsmanager:team/token")
