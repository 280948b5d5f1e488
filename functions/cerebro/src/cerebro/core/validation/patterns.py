"""Patterns: the regular expressions of declared schemas, matched in linear time.

Invariant: a pattern that a team declares cannot delay cerebro. Python's `re` backtracks: `^(a+)+$`
takes minutes on forty letters. Rust's regex, which is part of pydantic, has no backtracking, no
look-around and no back-references.
"""

from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from jsonschema.exceptions import ValidationError
from pydantic_core import SchemaError, SchemaValidator, core_schema


@lru_cache(maxsize=1024)
def _validator(pattern: str) -> SchemaValidator:
    return SchemaValidator(
        core_schema.str_schema(pattern=pattern, regex_engine="rust-regex", strict=True)
    )


def fault_of_pattern(pattern: str) -> str | None:
    """Return why a pattern cannot be used; None if it can."""
    try:
        _validator(pattern)
    except SchemaError as unusable:
        lines = [line.strip() for line in str(unusable).splitlines() if line.strip()]
        return lines[-1].removeprefix("error: ") if lines else "it is not a regular expression"
    return None


def pattern_keyword(
    validator: Any, pattern: str, instance: Any, schema: Any
) -> Iterator[ValidationError]:
    """The keyword `pattern`, for jsonschema: it matches anywhere in the text."""
    del validator
    if isinstance(instance, str) and not _validator(pattern).isinstance_python(instance):
        comment = schema.get("$comment")
        hint = f": {comment}" if isinstance(comment, str) else ""
        yield ValidationError(f"{instance!r} does not match {pattern!r}{hint}")
