"""Secrets do not occur in the description of an error, however the exception quotes them."""

import json
import traceback
from collections.abc import Callable
from typing import Annotated
from urllib.parse import quote, quote_plus, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import AfterValidator, SecretStr

from cordyna_core import TaskServer
from cordyna_core.server.redaction import ASTERISKS, SECRET_CHARS_MIN, without_secrets

KEY = "-----BEGIN KEY-----\nMIIEvAIBADANBgkqhkiG9w0BAQ\nq1w2e3r4t5y6u7i8o9p0\n-----END KEY-----\n"
ODD = "pa'ss\"wo\\rd \u00e9/+&="

WRITTEN: tuple[Callable[[str], str], ...] = (
    str,
    repr,
    ascii,
    json.dumps,
    quote,
    quote_plus,
    lambda secret: repr({"it's": secret}),
    lambda secret: repr(f'say "{secret}"'),
    lambda secret: repr(secret.encode()),
    lambda secret: json.dumps({"token": secret}, ensure_ascii=False),
    lambda secret: urlencode({"token": secret}),
    lambda secret: repr(json.dumps({"token": secret})),
    lambda secret: quote(json.dumps({"token": secret})),
)


@given(
    st.text(st.characters(exclude_categories=["Cs"]), min_size=SECRET_CHARS_MIN),
    st.sampled_from(WRITTEN),
)
def test_secret_is_replaced_in_every_form(secret: str, written: Callable[[str], str]) -> None:
    """What is left does not say more of the secret than the text around it does."""
    text = without_secrets([secret], f"before {written(secret)} after")
    frame = without_secrets([secret], f"before {written('')} after")
    assert ASTERISKS in text
    if secret.isalnum() and secret not in frame:
        assert secret not in text


@pytest.mark.parametrize("secret", [KEY, ODD], ids=["key", "odd"])
@pytest.mark.parametrize("written", WRITTEN)
def test_nothing_is_left_of_a_quoted_secret(secret: str, written: Callable[[str], str]) -> None:
    text = without_secrets([secret], f"<{written(secret)}>")
    assert ASTERISKS in text
    for part in ("q1w2e3", "BEGIN", "pa'ss", "wo\\", "ss%22"):
        assert part not in text


def test_lines_of_a_key_are_replaced_where_they_are_indented() -> None:
    group = ExceptionGroup("all failed", [ValueError(KEY)])
    text = "".join(traceback.format_exception(group))
    assert "q1w2e3" not in without_secrets([KEY], text)


def test_shorter_secret_within_a_longer_one_leaves_nothing() -> None:
    assert without_secrets(["pass", "passport"], "passport") == ASTERISKS


def test_text_without_the_secret_stays() -> None:
    assert without_secrets(["hunter2", "abc"], "abc is too short") == "abc is too short"


@pytest.mark.parametrize("secret", [KEY, ODD], ids=["key", "odd"])
def test_error_of_a_body_has_no_form_of_its_secret(
    secret: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the message, as the name of the type, in a note and in what led to it."""
    monkeypatch.setenv("LOAD_TOKEN", secret)
    server = TaskServer("a")

    @server.task
    def load(token: SecretStr) -> None:
        value = token.get_secret_value()
        error = type(value, (Exception,), {})({"token": value})
        error.add_note(f"see https://example.com/?token={quote_plus(value)}")
        raise error from KeyError(value)

    result = server.test_run("load", token="env:LOAD_TOKEN")
    assert result.error is not None
    assert result.error.traceback is not None
    text = f"{result.error.type}\n{result.error.message}\n{result.error.traceback}"
    for part in ("q1w2e3", "BEGIN", "pa'ss", "pa\\'ss", "pa%27ss"):
        assert part not in text


def test_validator_that_raises_does_not_show_the_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is code of the user's, and sees the value before the body does."""
    monkeypatch.setenv("LOAD_TOKEN", KEY)
    server = TaskServer("a")

    def refuse(token: SecretStr) -> SecretStr:
        raise RuntimeError(f"no login with {token.get_secret_value()}")

    @server.task
    def load(token: Annotated[SecretStr, AfterValidator(refuse)]) -> None:
        del token

    error = server.test_run("load", token="env:LOAD_TOKEN").error
    assert error is not None
    assert error.message == f"no login with {ASTERISKS}"
