"""Schemas in words: the type that a JSON Schema describes, as people write types."""

from collections.abc import Mapping
from typing import Any, Final

from cordyna_cli.wording.foreign_text import one_line
from cordyna_cli.wording.format import compact_json
from cordyna_core.contract.schema_values import resolve, types_of

_LIMITS: Final = {
    "minimum": "at least {}",
    "exclusiveMinimum": "more than {}",
    "maximum": "at most {}",
    "exclusiveMaximum": "less than {}",
    "minLength": "length at least {}",
    "maxLength": "length at most {}",
    "minItems": "items at least {}",
    "maxItems": "items at most {}",
    "pattern": "matching {}",
}
"""The words for a limit of a JSON Schema."""

_DEPTH_MAX: Final = 4
_FIELDS_MAX: Final = 20


def schema_words(schema: Any) -> str:
    """Return `{rows: integer, day?: string or null}`; what is deeper or longer is shortened."""
    return one_line(_words(schema, schema, 0))


def parameter_words(schema: Any, root: Any) -> str:
    """Return `integer, at least 1`, `one of "a", "b"`; `root` is the schema of all parameters."""
    resolved = resolve(schema, root)
    if not isinstance(resolved, Mapping):
        return schema_words(resolved is not False)
    if "enum" in resolved:
        return one_line(f"one of {', '.join(map(compact_json, resolved['enum']))}")
    limits = [words.format(resolved[name]) for name, words in _LIMITS.items() if name in resolved]
    return one_line(", ".join([_words(resolved, root, 0), *limits]))


def _words(schema: Any, root: Any, depth: int) -> str:
    resolved = resolve(schema, root)
    if resolved is None or isinstance(resolved, bool) or depth > _DEPTH_MAX:
        return "nothing" if resolved is False else "..." if depth > _DEPTH_MAX else "any"
    if alternatives := _alternatives(resolved, root, depth):
        return " or ".join(alternatives)
    if resolved.get("properties"):
        return _fields(resolved, root, depth)
    if "items" in resolved:
        return f"[{_words(resolved['items'], root, depth + 1)}]"
    kind = " or ".join(types_of(resolved)) or "any"
    return f"{kind} ({resolved['format']})" if "format" in resolved else kind


def _alternatives(schema: Any, root: Any, depth: int) -> list[str]:
    if "const" in schema:
        return [compact_json(schema["const"])]
    parts = schema.get("anyOf") or schema.get("oneOf") or ()
    return [
        *map(compact_json, schema.get("enum", ())),
        *(_words(part, root, depth + 1) for part in parts),
    ]


def _fields(schema: Any, root: Any, depth: int) -> str:
    required = schema.get("required", ())
    fields = [
        f"{name}{'' if name in required else '?'}: {_words(one, root, depth + 1)}"
        for name, one in list(schema["properties"].items())[:_FIELDS_MAX]
    ]
    more = ["..."] if len(schema["properties"]) > _FIELDS_MAX else []
    return f"{{{', '.join([*fields, *more])}}}"
