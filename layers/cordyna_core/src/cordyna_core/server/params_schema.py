"""Params schema: the JSON Schema of a task's parameters, and of the types of its edges.

Invariant: what the schema accepts, the function's types accept, if JSON Schema can express them. So
cerebro refuses wrong params before anything runs, not the body after its upstream ran.

Beyond JSON Schema, cerebro checks `format` for texts (docs/contract/README.md), and for texts of
the format `decimal` the keywords of numbers, `maxDigits` and `decimalPlaces`.
"""

from typing import Any, Final

from pydantic import BaseModel
from pydantic_core import core_schema

from cordyna_core.contract.json_schemas import TitlelessJsonSchema

_OFFSET: Final = r"([Zz]|[+-][0-9]{2}:?[0-9]{2})$"
_TIMESTAMP: Final = r"^[+-]?[0-9.]+$"
"""A number of seconds or milliseconds, which is a time in UTC."""

_NEEDS_OFFSET: Final = "it needs an offset, such as Z or +02:00"
_INTEGER: Final = r"^(0|-?[1-9][0-9]*)$"

_DECIMAL_KEYWORDS: Final = {
    "ge": "minimum",
    "gt": "exclusiveMinimum",
    "le": "maximum",
    "lt": "exclusiveMaximum",
    "multiple_of": "multipleOf",
    "max_digits": "maxDigits",
    "decimal_places": "decimalPlaces",
}


class ParamsJsonSchema(TitlelessJsonSchema):
    """Adds what pydantic leaves out of a schema, though its validation requires it."""

    def datetime_schema(self, schema: core_schema.DatetimeSchema) -> dict[str, Any]:
        json_schema = super().datetime_schema(schema)
        match schema.get("tz_constraint"):
            case "aware":
                json_schema |= {"pattern": _OFFSET, "$comment": _NEEDS_OFFSET}
            case "naive":
                json_schema["not"] = {"pattern": f"{_OFFSET}|{_TIMESTAMP}"}
        return json_schema

    def decimal_schema(self, schema: core_schema.DecimalSchema) -> dict[str, Any]:
        keywords = {
            keyword: value if isinstance(value, int) else float(str(value))
            for option, keyword in _DECIMAL_KEYWORDS.items()
            if (value := schema.get(option)) is not None
        }
        return {
            "anyOf": [
                {"type": "number", **keywords},
                {"type": "string", "format": "decimal", **keywords},
            ]
        }

    def dict_schema(self, schema: core_schema.DictSchema) -> dict[str, Any]:
        json_schema = super().dict_schema(schema)
        keys = schema.get("keys_schema", {})
        if keys.get("type") == "int":
            # Only the canonical form: "1" and "01" would become equal keys.
            json_schema["propertyNames"] = {"pattern": _INTEGER}
        return json_schema

    def url_schema(self, schema: core_schema.UrlSchema) -> dict[str, Any]:
        return _with_schemes(super().url_schema(schema), schema.get("allowed_schemes"))

    def multi_host_url_schema(self, schema: core_schema.MultiHostUrlSchema) -> dict[str, Any]:
        return _with_schemes(super().multi_host_url_schema(schema), schema.get("allowed_schemes"))

    def complex_schema(self, schema: core_schema.ComplexSchema) -> dict[str, Any]:
        return {**super().complex_schema(schema), "format": "complex"}


def _with_schemes(json_schema: dict[str, Any], schemes: list[str] | None) -> dict[str, Any]:
    return {**json_schema, "pattern": f"^({'|'.join(schemes)}):"} if schemes else json_schema


def params_schema_of(model: type[BaseModel]) -> dict[str, Any]:
    """Return the JSON Schema of a model of parameters."""
    schema = model.model_json_schema(schema_generator=ParamsJsonSchema)
    schema.pop("title", None)
    return schema
