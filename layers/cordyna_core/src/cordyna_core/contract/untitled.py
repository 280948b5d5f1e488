"""TitlelessJsonSchema: JSON Schema without the titles that only repeat a field's name.

Law: a schema says nothing twice. It travels in declarations, which have a quota (section 8), and people read it.
"""

from typing import Any

from pydantic.json_schema import GenerateJsonSchema


class TitlelessJsonSchema(GenerateJsonSchema):
    """Pass it as `schema_generator` to `model_json_schema`."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False
