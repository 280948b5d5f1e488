"""Decoded types: whether what was decoded has the types that its class says.

Invariant: a text that is JSON and has every field, but with a value that no program expects, is
found where it is decoded, and not where a program first uses it.
"""

from collections.abc import Callable, Mapping
from functools import cache
from types import UnionType
from typing import Any, Final, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from cordyna_core.contract.lenient_json import with_whole_characters
from cordyna_core.contract.time import LATEST

T = TypeVar("T")
_Check = Callable[[Any], bool]

_WHOLE_MAX: Final = 2**53
_SECONDS_MAX: Final = LATEST.timestamp()
_SHOWN_CHARS_MAX: Final = 80


def require_types(decoded: T) -> T:
    """Return a decoded dataclass unchanged.

    A whole number is one that every store keeps, and another one a moment that a time can be.

    Raises:
        ValueError: a field has a value of another type, or out of range.
    """
    kind: type = type(decoded)
    for name, check in _checks_of(kind):
        value = getattr(decoded, name)
        if not check(value):
            raise ValueError(f"its {name} cannot be {repr(value)[:_SHOWN_CHARS_MAX]}")
    return decoded


@cache
def _checks_of(kind: type) -> tuple[tuple[str, _Check], ...]:
    return tuple((name, _check_of(hint)) for name, hint in get_type_hints(kind).items())


def _check_of(hint: Any) -> _Check:
    origin, arguments = get_origin(hint), get_args(hint)
    if hint is Any:
        return lambda _: True
    if origin is Literal:
        return lambda value: value in arguments
    if origin in (Union, UnionType):
        checks = tuple(map(_check_of, arguments))
        return lambda value: any(check(value) for check in checks)
    if origin is tuple:
        of_items = _check_of(arguments[0])
        return lambda value: type(value) is tuple and all(map(of_items, value))
    kind = origin or hint
    if kind is Mapping:
        kind = dict
    return _PLAIN.get(kind) or (lambda value: isinstance(value, kind))


def _is_text(value: Any) -> bool:
    return type(value) is str and (value.isascii() or with_whole_characters(value) == value)


def _is_whole(value: Any) -> bool:
    return type(value) is int and -_WHOLE_MAX <= value <= _WHOLE_MAX


def _is_number(value: Any) -> bool:
    return type(value) in (int, float) and 0 <= value <= _SECONDS_MAX


_PLAIN: Final[dict[Any, _Check]] = {str: _is_text, int: _is_whole, float: _is_number}
