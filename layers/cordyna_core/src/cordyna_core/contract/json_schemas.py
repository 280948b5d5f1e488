"""JSON Schemas of models, without the titles that only repeat a field's name.

Invariant: a schema says nothing twice: it travels in declarations, whose size is limited. And the
same type has the same schema in every process: another one would be another declaration.
"""

import dataclasses
import json
from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from typing import Any, Literal

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema


class TitlelessJsonSchema(GenerateJsonSchema):
    """Pass it as `schema_generator` to `model_json_schema`."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False

    def encode_default(self, dft: Any) -> Any:
        """Return a default as JSON; the items of a set in order, wherever it is.

        Their order in a process depends on its hash seed.
        """
        return _in_order(dft, super().encode_default(dft))


def _in_order(value: Any, plain: Any) -> Any:
    """Return the JSON of a value with the items of its sets sorted."""
    if isinstance(value, AbstractSet) and isinstance(plain, list):
        items = [_in_order(item, below) for item, below in zip(value, plain, strict=True)]
        return sorted(items, key=json.dumps)
    if isinstance(value, list | tuple) and isinstance(plain, list):
        return [_in_order(item, below) for item, below in zip(value, plain, strict=True)]
    if isinstance(plain, dict):
        values = list(_values_of(value))
        if len(values) == len(plain):
            below = zip(plain.items(), values, strict=True)
            return {key: _in_order(item, field) for (key, field), item in below}
    return plain


def _values_of(value: Any) -> Iterable[Any]:
    """Return what is in the fields of a value, in the order in which they are written."""
    if isinstance(value, Mapping):
        return value.values()
    if isinstance(value, BaseModel):
        written = (n for n, field in type(value).model_fields.items() if field.exclude is not True)
        return [getattr(value, name) for name in (*written, *type(value).model_computed_fields)]
    if dataclasses.is_dataclass(value):
        return [getattr(value, field.name) for field in dataclasses.fields(value)]
    return ()


def json_schema_of(
    model: type[BaseModel], *, mode: Literal["validation", "serialization"] = "validation"
) -> dict[str, Any]:
    """Return the JSON Schema of what `model` reads (`validation`) or writes (`serialization`)."""
    return model.model_json_schema(mode=mode, schema_generator=TitlelessJsonSchema)
