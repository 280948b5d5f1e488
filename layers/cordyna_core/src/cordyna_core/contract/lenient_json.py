"""Lenient JSON: what can be read of a text that strict JSON refuses, to answer its sender.

Half a character, a control character, thousands of levels or of digits are JSON to other readers,
and a bus carries them.

Invariant: what `require_json` refuses it still refuses: what is left out of a value leaves it too
deep, and a number with too many digits is infinite, as one with too large an exponent is.
"""

import json
import re
from collections.abc import Iterator
from typing import Any, Final

from cordyna_core.contract.json_values import MAX_DIGITS
from cordyna_core.contract.limits import MAX_JSON_DEPTH

_LEVELS_KEPT: Final = MAX_JSON_DEPTH + 20
"""Few enough for Python's parser, and more than any part of a message may have."""

_BEFORE_JSON: Final = "\ufeff \t\r\n"
_TEXT_OR_BRACKET: Final = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"|[\[\]{}]', re.DOTALL)


def read_leniently(text: str | bytes) -> Any:
    """Return the first JSON value of a text; what follows it is ignored.

    Raises:
        ValueError: it begins with no JSON value.
    """
    if isinstance(text, bytes):
        text = text.decode("utf-8", "surrogateescape")
    value, _ = _DECODER.raw_decode("".join(_without_depth(text.lstrip(_BEFORE_JSON))))
    return value


def with_whole_characters(value: Any) -> Any:
    """Return a value of `read_leniently` in which `?` replaces each half of a character."""
    if isinstance(value, str):
        return value if value.isascii() else value.encode("utf-8", "replace").decode()
    if isinstance(value, list):
        return [with_whole_characters(item) for item in value]
    if isinstance(value, dict):
        return {with_whole_characters(k): with_whole_characters(v) for k, v in value.items()}
    return value


def _without_depth(text: str) -> Iterator[str]:
    """Yield the text with null in place of what is nested deeper than _LEVELS_KEPT."""
    level = copied = 0
    for match in _TEXT_OR_BRACKET.finditer(text):
        token = match[0]
        if token in ("[", "{"):
            level += 1
            if level == _LEVELS_KEPT + 1:
                yield text[copied : match.start()]
        elif token in ("]", "}"):
            if level == _LEVELS_KEPT + 1:
                yield "null"
                copied = match.end()
            level -= 1
    if level <= _LEVELS_KEPT:
        yield text[copied:]


def _whole_number(digits: str) -> int | float:
    return int(digits) if len(digits) <= MAX_DIGITS else float(digits)


_DECODER: Final = json.JSONDecoder(strict=False, parse_int=_whole_number)
