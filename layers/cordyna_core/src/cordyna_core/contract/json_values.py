"""JSON values: what the free parts of a message (params, outputs, schemas) may contain.

A field that is a number or a truth value takes no text for it: the published schemas say the same.

Invariant: a value that was accepted can be stored, sent and read again: it is not nested too
deeply, its numbers are finite, and its text is valid Unicode. The same check runs where a message
is made and where it is read.
"""

import json
import re
from collections.abc import Iterator
from math import isfinite
from typing import Annotated, Any, Final

from pydantic import AfterValidator, BeforeValidator, Field
from pydantic_core import PydanticSerializationError, to_json

from cordyna_core.contract.limits import MAX_JSON_DEPTH

MAX_DIGITS: Final = 4300
"""Of an integer that parsers read."""

_PLACE_CHARS_MAX: Final = 100

_LONG_NUMBER: Final = re.compile(rb"[0-9]{4301}")

JsonObject = dict[str, Any]


def require_json(value: Any) -> Any:
    """Return JSON data unchanged.

    Raises:
        ValueError: it is nested too deeply, or has a number or text that JSON cannot carry.
    """
    if value is None or (type(value) is dict and not value):
        return value
    if type(value) is str and value.isascii():
        return value
    # Every value is visited by compiled code, because this is done for every message; only what
    # looks suspicious in the text is then looked for in the value.
    try:
        text = to_json(value, inf_nan_mode="constants", fallback=lambda _: None)
    except (PydanticSerializationError, ValueError) as broken:
        if _is_too_deep(value):
            raise _too_deep() from None
        raise ValueError(f"a text is not valid Unicode: {str(broken)[:200]}") from None
    if (b"NaN" in text or b"Infinity" in text) and (place := _place_of_infinite(value)) is not None:
        raise ValueError(f"NaN and infinity are not JSON{place}: use null or a text")
    if len(text) <= MAX_JSON_DEPTH:  # So it has fewer levels, and no long number.
        return value
    if text.count(b"[") + text.count(b"{") > MAX_JSON_DEPTH and _is_too_deep(value):
        raise _too_deep()
    if _LONG_NUMBER.search(text) and not all(map(_is_readable, _scalars(value))):
        raise ValueError(f"a number has more than {MAX_DIGITS} digits: send it as a text")
    return value


def json_size(value: Any) -> int:
    """Return the bytes of JSON data on the wire, in UTF-8.

    Also of data that cannot be sent, so that it can be refused by its size: half characters count
    three bytes, and it may be nested as deeply as Python encodes.
    """
    try:
        return len(to_json(value, inf_nan_mode="constants"))
    except ValueError:
        return len(_encode(value).encode("utf-8", "surrogatepass"))


_encode: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def _scalars(value: Any) -> Iterator[Any]:
    todo = [value]
    for item in todo:
        if isinstance(item, dict):
            todo += item.values()
        elif isinstance(item, list | tuple):
            todo += item
        else:
            yield item


def _place_of_infinite(value: Any) -> str | None:
    """Return ` (at rows.0.price)` for a number that is not finite; None where all are."""
    todo: list[tuple[Any, tuple[Any, ...]]] = [(value, ())]
    for item, path in todo:
        if isinstance(item, dict):
            todo += [(part, (*path, key)) for key, part in item.items()]
        elif isinstance(item, list | tuple):
            todo += [(part, (*path, at)) for at, part in enumerate(item)]
        elif isinstance(item, float) and not isfinite(item):
            place = ".".join(map(str, path))[:_PLACE_CHARS_MAX]
            return f" (at {place})" if place else ""
    return None


def _is_readable(scalar: Any) -> bool:
    return not isinstance(scalar, int) or abs(scalar) < 10**MAX_DIGITS


def _is_too_deep(value: Any) -> bool:
    containers = [value]
    for _ in range(MAX_JSON_DEPTH):
        containers = [
            part
            for container in containers
            for part in (container.values() if isinstance(container, dict) else container)
            if isinstance(part, dict | list | tuple)
        ]
        if not containers:
            return False
    return True


def _too_deep() -> ValueError:
    return ValueError(f"it is nested deeper than {MAX_JSON_DEPTH} levels: flatten it")


def _without_zero_fraction(value: Any) -> Any:
    """Return 1 for 1.0: JSON Schema calls both an integer, and some languages write only that."""
    return int(value) if type(value) is float and value.is_integer() else value


STRICT: Final = Field(strict=True)
WHOLE: Final = BeforeValidator(_without_zero_fraction)
"""Of a type with bounds, it is the last annotation: the schema of a validator has no bounds."""

Whole = Annotated[int, STRICT, WHOLE]
"""A whole number, as JSON Schema has it: 3 and 3.0, and neither "3" nor true."""

Number = Annotated[float, Field(strict=True)]
"""A number, as JSON has it."""

Flag = Annotated[bool, Field(strict=True)]
"""True or false, and no word or number for it."""

BoundedJson = Annotated[Any, AfterValidator(require_json)]
BoundedJsonObject = Annotated[JsonObject, AfterValidator(require_json)]
