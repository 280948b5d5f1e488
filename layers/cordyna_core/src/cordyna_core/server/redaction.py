"""Redaction: texts about a body without the values of its secrets.

An exception seldom quotes a value as it is: `KeyError` writes its repr, an HTTP client its URL, and
a traceback indents each line of a key. So a secret is replaced in all of these forms.

Invariant: no form of a secret that is replaced depends on the text around it.
"""

from collections.abc import Callable, Iterable
from json import dumps
from typing import Final
from urllib.parse import quote, quote_plus

ASTERISKS: Final = "**********"
SECRET_CHARS_MIN: Final = 4
"""A shorter secret occurs in any text, and replacing it would show where."""

_LINE_CHARS_MIN: Final = 8
"""Lines of a secret at least this long are secrets themselves: those of a key, not its brackets."""


def _as_it_is(text: str) -> str:
    return text


def _in_quotes(text: str) -> str:
    return repr(text)[1:-1]


def _in_single_quotes(text: str) -> str:
    # With a quotation mark in the text, repr escapes the apostrophes.
    return repr('"' + text)[2:-1]


def _in_ascii(text: str) -> str:
    return ascii(text)[1:-1]


def _as_bytes(text: str) -> str:
    return repr(text.encode("utf-8", "surrogatepass"))[2:-1]


def _as_json(text: str) -> str:
    return dumps(text)[1:-1]


def _as_unicode_json(text: str) -> str:
    return dumps(text, ensure_ascii=False)[1:-1]


def _in_path(text: str) -> str:
    return quote(text, errors="surrogatepass")


def _in_query(text: str) -> str:
    return quote(text, safe="", errors="surrogatepass")


def _in_form(text: str) -> str:
    return quote_plus(text, errors="surrogatepass")


_FORMS: Final[tuple[Callable[[str], str], ...]] = (
    _as_it_is,
    _in_quotes,
    _in_single_quotes,
    _in_ascii,
    _as_bytes,
    _as_json,
    _as_unicode_json,
    _in_path,
    _in_query,
    _in_form,
)


def without_secrets(secrets: Iterable[str], text: str) -> str:
    """Return a text in which every secret is replaced, in whichever form it is written.

    A form may be of a form: an exception quotes the JSON that holds the secret.
    """
    values = [
        value
        for secret in secrets
        for value in (secret, *_long_lines(secret))
        if len(value) >= SECRET_CHARS_MIN
    ]
    forms = {outer(inner(value)) for value in values for inner in _FORMS for outer in _FORMS}
    # The longest first: one may contain another.
    for form in sorted(forms, key=len, reverse=True):
        text = text.replace(form, ASTERISKS)
    return text


def _long_lines(secret: str) -> list[str]:
    lines = [line.strip() for line in secret.splitlines()]
    return [line for line in lines if len(line) >= _LINE_CHARS_MIN] if len(lines) > 1 else []
