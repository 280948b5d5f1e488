"""JSON Schemas of models, without the titles that only repeat a field's name.

Invariant: a schema says nothing twice. It travels in declarations, whose size is limited.
"""

from typing import Any, Literal

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema


class TitlelessJsonSchema(GenerateJsonSchema):
    """Pass it as `schema_generator` to `model_json_schema`."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False


def json_schema_of(
    model: type[BaseModel], *, mode: Literal["validation", "serialization"] = "validation"
) -> dict[str, Any]:
    """Return the JSON Schema of what `model` reads (`validation`) or writes (`serialization`)."""
    return model.model_json_schema(mode=mode, schema_generator=TitlelessJsonSchema)
