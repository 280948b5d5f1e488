"""Secret params: values that travel as references, and are resolved where the body runs.

A part of a params schema that is `writeOnly` (a `SecretStr`) is a secret: its value on the wire is
a reference, `env:NAME`, `ssm:/path`, `secretsmanager:id` or `file:path`, or null.

Invariant: no function here returns a text that contains a secret's value.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from cordyna_core.contract.base import Problem
from cordyna_core.contract.json_values import JsonObject
from cordyna_core.contract.schema_values import Schema, resolve, types_of

REDACTED: Final = "[redacted: a plain secret]"
"""What is kept instead of a secret's value. It is not a reference, so it is refused, too."""

REFERENCE_RULE: Final = "env:NAME, ssm:/path, secretsmanager:id or file:path"

_REFERENCE: Final = re.compile(
    r"env:[A-Za-z_][A-Za-z0-9_]*|ssm:/?[A-Za-z0-9_./:-]+|secretsmanager:[^\s]+|file:[^\x00\r\n]+"
)
_TASKS_SHOWN_MAX: Final = 5


def is_reference(value: object) -> bool:
    """Return whether a value names where a secret is."""
    return isinstance(value, str) and _REFERENCE.fullmatch(value) is not None


def has_secrets(schema: Any) -> bool:
    """Return whether some part of a schema is a secret."""
    waiting = [schema]
    for part in waiting:
        if isinstance(part, dict):
            if part.get("writeOnly") is True:
                return True
            waiting += part.values()
        elif isinstance(part, list):
            waiting += part
    return False


def secret_names(schema: JsonObject) -> frozenset[str]:
    """Return the names of the properties, at any depth, whose value is a secret or holds some."""
    return frozenset(_Walk(schema, lambda _, value: value).names())


def with_secrets_changed(
    params: Mapping[str, Any], schema: JsonObject, change: Callable[[str, Any], Any]
) -> dict[str, Any]:
    """Return params with `change(path, value)` for every value that is to be a secret."""
    changed = _Walk(schema, change).changed("", dict(params), [schema])
    assert isinstance(changed, dict)
    return changed


def plain_secrets(params: Mapping[str, Any], schema: JsonObject) -> list[str]:
    """Return the paths of secrets whose value is neither a reference nor null."""
    found: list[str] = []

    def note(path: str, value: Any) -> Any:
        if value is not None and not is_reference(value):
            found.append(path)
        return value

    with_secrets_changed(params, schema, note)
    return found


def redacted(params: Mapping[str, Any], schema: JsonObject) -> dict[str, Any]:
    """Return params without the values of secrets; references and null stay."""

    def redact(path: str, value: Any) -> Any:
        del path
        return value if value is None or is_reference(value) else REDACTED

    return with_secrets_changed(params, schema, redact)


def without_secrets(schema: Any) -> Any:
    """Return a schema in which a secret may be anything: a reference is not its value."""
    if isinstance(schema, dict):
        if schema.get("writeOnly") is True:
            return {}
        return {key: without_secrets(part) for key, part in schema.items()}
    if isinstance(schema, list):
        return [without_secrets(part) for part in schema]
    return schema


def plain_secret_problems(
    tasks: Iterable[tuple[str, JsonObject]], params: Mapping[str, Any]
) -> list[Problem]:
    """Return a problem for each param that is to be a secret and is given as a plain value.

    `tasks`: what a person calls the tasks that would get them, with their params schema.
    """
    users: dict[str, list[str]] = {}
    for task, schema in tasks:
        named = {name: params[name] for name in schema.get("properties", ()) if name in params}
        if named and has_secrets(schema):
            for path in plain_secrets(named, schema):
                users.setdefault(path, []).append(task)
    return [_problem(path, needing) for path, needing in users.items()]


def _problem(path: str, tasks: Sequence[str]) -> Problem:
    more = len(tasks) - _TASKS_SHOWN_MAX
    shown = ", ".join(tasks[:_TASKS_SHOWN_MAX]) + (f" and {more} more" if more > 0 else "")
    return Problem(
        code="plain_secret",
        message=f"parameter {path} is a secret of {shown}, and was given as a plain value: give "
        f"{REFERENCE_RULE}",
    )


_FORMS: Final[dict[type, str]] = {str: "string", dict: "object", list: "array"}
"""The values that may hold a secret, with their types in a schema."""

_CHOICES: Final = ("$ref", "anyOf", "oneOf", "allOf")


class _Walk:
    """One walk over a value with all the schemas that may describe it."""

    def __init__(self, root: Schema, change: Callable[[str, Any], Any]) -> None:
        self._root, self._change = root, change

    def changed(self, path: str, value: Any, schemas: Sequence[Any]) -> Any:
        parts = list(self._expanded(schemas))
        if not parts:
            return value
        if any(part.get("writeOnly") is True for part in parts):
            return self._change(path, value)
        if self._is_secret_as_a_whole(value, parts):
            return self._change(path, value)
        if isinstance(value, dict):
            return {
                key: self.changed(f"{path}.{key}" if path else key, item, _of_key(parts, key))
                for key, item in value.items()
            }
        if isinstance(value, list):
            return [
                self.changed(f"{path}[{index}]", item, _of_index(parts, index))
                for index, item in enumerate(value)
            ]
        return value

    def names(self) -> Iterator[str]:
        """Yield the names of secrets; of one in a list or map, the name of that."""
        waiting: list[tuple[str, Any]] = [("", self._root)]
        met, met_by_name = set[int](), set[tuple[str, int]]()
        for name, schema in waiting:
            for part in self._expanded([schema]):
                if part.get("writeOnly") is True:
                    yield name
                    continue
                properties = part.get("properties")
                if isinstance(properties, dict) and id(part) not in met:
                    waiting += properties.items()
                # Several properties may refer to one list of secrets.
                if (name, id(part)) not in met_by_name:
                    waiting += [(name, item) for item in _below({**part, "properties": None})]
                met.add(id(part))
                met_by_name.add((name, id(part)))

    def _is_secret_as_a_whole(self, value: Any, parts: Sequence[dict[str, Any]]) -> bool:
        """Return whether a value has another form than it should, and a part of it is secret.

        It may be the secret: `-p tokens=hunter2` for a list of secrets.
        """
        kind = _FORMS.get(type(value))
        if kind is None or any(_may_be(kind, part) for part in parts):
            return False
        return any(part.get("writeOnly") is True for part in self._all_below(parts))

    def _all_below(self, parts: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
        waiting: list[Any] = [below for part in parts for below in _below(part)]
        met = set[int]()
        for schema in waiting:
            for part in self._expanded([schema]):
                if id(part) not in met:
                    met.add(id(part))
                    yield part
                    waiting += _below(part)

    def _expanded(self, schemas: Iterable[Any]) -> Iterator[dict[str, Any]]:
        """Yield the schemas with their alternatives: a secret in one of them is a secret."""
        waiting, met = list(schemas), set[int]()
        for schema in waiting:
            if not isinstance(schema, dict) or id(schema) in met:
                continue
            met.add(id(schema))
            yield schema
            if "$ref" in schema:
                waiting.append(resolve(schema, self._root))
            for keyword in ("anyOf", "oneOf", "allOf"):
                alternatives = schema.get(keyword)
                waiting += alternatives if isinstance(alternatives, list) else ()


def _may_be(kind: str, part: Mapping[str, Any]) -> bool:
    """Return whether a schema by itself allows values of a type."""
    types = types_of(part)
    return kind in types if types else not any(keyword in part for keyword in _CHOICES)


def _below(part: Mapping[str, Any]) -> Iterator[Any]:
    """Yield the schemas of what is within a value."""
    properties = part.get("properties")
    if isinstance(properties, dict):
        yield from properties.values()
    first = part.get("prefixItems")
    if isinstance(first, list):
        yield from first
    yield part.get("additionalProperties")
    yield part.get("items")


def _of_key(parts: Iterable[dict[str, Any]], key: str) -> list[Any]:
    found = []
    for part in parts:
        properties = part.get("properties")
        if isinstance(properties, dict) and key in properties:
            found.append(properties[key])
        else:
            found.append(part.get("additionalProperties"))
    return found


def _of_index(parts: Iterable[dict[str, Any]], index: int) -> list[Any]:
    found = []
    for part in parts:
        first = part.get("prefixItems")
        is_first = isinstance(first, list) and index < len(first)
        found.append(first[index] if is_first and first else part.get("items"))
    return found
