"""Keywords of JSON Schema that cerebro checks itself, where jsonschema is too slow or inexact.

Invariant: a keyword takes time in proportion to the size of the value, and never raises. Numbers
are compared as decimals (a float would round them, or overflow), uniqueness is that of canonical
JSON (jsonschema compares all pairs), and `pattern` and `format` are those of these modules.

The keywords of numbers also apply to texts of the format `decimal`, which carry what a float
cannot.
"""

import json
from collections.abc import Callable, Iterator
from decimal import Decimal, InvalidOperation, localcontext
from typing import Any, Final

from jsonschema.exceptions import ValidationError

from cerebro.core.validation.formats import fault_of_format
from cerebro.core.validation.patterns import pattern_keyword

Keyword = Callable[[Any, Any, Any, Any], Iterator[ValidationError]]
"""(validator, the keyword's value, instance, the schema with the keyword) -> every fault."""

_DECIMAL_DIGITS: Final = 1000
"""More than the digits of the largest quotient of two floats."""


def _format(validator: Any, name: Any, instance: Any, schema: Any) -> Iterator[ValidationError]:
    del validator, schema
    if isinstance(instance, str) and (fault := fault_of_format(name, instance)):
        yield ValidationError(f"{instance!r} {fault}")


def _unique_items(
    validator: Any, required: Any, instance: Any, schema: Any
) -> Iterator[ValidationError]:
    del validator, schema
    if required and isinstance(instance, list):
        seen: set[str] = set()
        for item in instance:
            text = json.dumps(_canonical(item), sort_keys=True)
            if text in seen:
                yield ValidationError(f"{item!r} comes twice")
                return
            seen.add(text)


def _canonical(item: Any) -> Any:
    """Return JSON in which equal values have equal texts: 1 and 1.0 are one number."""
    if isinstance(item, dict):
        return {key: _canonical(value) for key, value in item.items()}
    if isinstance(item, list):
        return [_canonical(value) for value in item]
    if isinstance(item, float) and item.is_integer():
        return int(item)
    return item


def _number_of(instance: Any, schema: Any) -> Decimal | None:
    """Return the number that an instance is, or that a text of the format `decimal` shows."""
    is_number = isinstance(instance, int | float) and not isinstance(instance, bool)
    if not is_number and not (isinstance(instance, str) and schema.get("format") == "decimal"):
        return None
    try:
        number = Decimal(str(instance).strip())
    except (InvalidOperation, ValueError):
        return None  # the format is refused for it
    return number if number.is_finite() else None


def _compared(holds: Callable[[Decimal, Decimal], bool], words: str) -> Keyword:
    def keyword(
        validator: Any, bound: Any, instance: Any, schema: Any
    ) -> Iterator[ValidationError]:
        del validator
        number, limit = _number_of(instance, schema), _number_of(bound, {})
        if number is not None and limit is not None and not holds(number, limit):
            yield ValidationError(f"{instance!r} is {words} {bound}")

    return keyword


def _is_multiple(number: Decimal, of: Decimal) -> bool:
    with localcontext(prec=_DECIMAL_DIGITS, Emax=10**6, Emin=-(10**6)) as context:
        try:
            return context.remainder(number, of) == 0
        except InvalidOperation:  # the quotient has more digits than any float
            return False


def _places(number: Decimal) -> int:
    return max(0, -int(number.normalize().as_tuple().exponent))


def _digits(number: Decimal) -> int:
    shape = number.normalize().as_tuple()
    return max(len(shape.digits) + max(0, int(shape.exponent)), _places(number))


def _max_digits(validator: Any, most: Any, instance: Any, schema: Any) -> Iterator[ValidationError]:
    """Places are kept free for decimals, as pydantic does: 1234 has too many digits for (4, 2)."""
    del validator
    number = _number_of(instance, schema)
    if number is not None and isinstance(most, int):
        places = schema.get("decimalPlaces")
        kept = places if isinstance(places, int) else 0
        whole = _digits(number) - _places(number)
        if _digits(number) > most or whole > most - min(kept, most):
            yield ValidationError(f"{instance!r} is of more digits than {most}")


KEYWORDS: Final[dict[str, Keyword]] = {
    "pattern": pattern_keyword,
    "format": _format,
    "uniqueItems": _unique_items,
    "minimum": _compared(lambda number, bound: number >= bound, "less than"),
    "maximum": _compared(lambda number, bound: number <= bound, "more than"),
    "exclusiveMinimum": _compared(lambda number, bound: number > bound, "not more than"),
    "exclusiveMaximum": _compared(lambda number, bound: number < bound, "not less than"),
    "multipleOf": _compared(_is_multiple, "not a multiple of"),
    "maxDigits": _max_digits,
    "decimalPlaces": _compared(
        lambda number, most: _places(number) <= most, "of more decimal places than"
    ),
}
