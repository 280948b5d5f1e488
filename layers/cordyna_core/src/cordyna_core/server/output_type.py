"""Output type: what a task promises to return, from its return annotation.

Invariant: an output that breaks its declared schema never leaves its server as `completed`.
"""

import dataclasses
import inspect
import typing
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic_core import PydanticSerializationError, core_schema

from cordyna_core.contract.schema_values import TooManySteps, faults_of_plain_value
from cordyna_core.errors import TerminalError, UserError
from cordyna_core.server.annotations import evaluated
from cordyna_core.server.params_schema import ParamsJsonSchema
from cordyna_core.server.result import json_output
from cordyna_core.server.upstream_types import adapter_of, faults_of, schema_of

_FAULTS_SHOWN_MAX: Final = 10


_FieldSchema = core_schema.ModelField | core_schema.DataclassField | core_schema.TypedDictField


class OutputMismatch(TerminalError):
    """A task returned something else than it declares to return."""


class OutputJsonSchema(ParamsJsonSchema):
    """Says of an object with fields that all of them are written, and no others.

    Beyond JSON Schema it says what the schema of a parameter of this type does, so that the same
    type suits itself.

    Of a model that writes itself in another way (`model_serializer`) nothing is said beyond what
    pydantic does.
    """

    _writes_itself = False

    def model_schema(self, schema: core_schema.ModelSchema) -> dict[str, Any]:
        around, self._writes_itself = self._writes_itself, "serialization" in schema
        try:
            json_schema = super().model_schema(schema)
            return json_schema if self._writes_itself else _closed(json_schema)
        finally:
            self._writes_itself = around

    def decimal_schema(self, schema: core_schema.DecimalSchema) -> dict[str, Any]:
        _, as_text = super().decimal_schema(schema)["anyOf"]
        return dict(as_text)

    def field_is_required(self, field: _FieldSchema, total: bool) -> bool:  # noqa: FBT001
        if field["type"] == "typed-dict-field" or self._writes_itself:
            return super().field_is_required(field, total)
        return not (field.get("serialization_exclude") or field.get("serialization_exclude_if"))

    def dataclass_schema(self, schema: core_schema.DataclassSchema) -> dict[str, Any]:
        return _closed(super().dataclass_schema(schema))

    def typed_dict_schema(self, schema: core_schema.TypedDictSchema) -> dict[str, Any]:
        return _closed(super().typed_dict_schema(schema))


def _closed(json_schema: dict[str, Any]) -> dict[str, Any]:
    if "properties" not in json_schema:
        return json_schema
    return {"additionalProperties": False, **json_schema}


@dataclass(frozen=True, slots=True)
class OutputType:
    """The type of a task's output, and its JSON Schema."""

    adapter: TypeAdapter[Any]
    schema: dict[str, Any]

    def json_output(self, value: Any) -> Any:
        """Return an output as plain JSON that fits the schema.

        Raises:
            OutputMismatch: it does not fit.
            OutputNotJson, OutputTooLarge: see `cordyna_core.server.result`.
        """
        try:
            validated = self.adapter.validate_python(value)
            # By alias, as the schema has it, and as an output without a declared type is written.
            plain = self.adapter.dump_python(
                validated, mode="json", by_alias=True, warnings="error"
            )
        except ValidationError as invalid:
            raise OutputMismatch(f"{_MISMATCH}: {faults_of(invalid)}") from None
        except PydanticSerializationError as unfit:
            # An instance is not validated again: it may have been changed, or made without.
            raise OutputMismatch(f"{_MISMATCH}: {_first_line(unfit)}") from None
        output = json_output(plain)
        if faults := self._faults(output):
            raise OutputMismatch(f"{_MISMATCH}: {'; '.join(faults)}")
        return output

    def _faults(self, output: Any) -> list[str]:
        try:
            return list(faults_of_plain_value(output, self.schema))[:_FAULTS_SHOWN_MAX]
        except TooManySteps:
            return []


_MISMATCH: Final = "the output is not what the task declares to return"


def _first_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[min(1, len(lines) - 1)]


def output_type_of(
    function: Callable[..., Any], task: str, *, declared: Any = None
) -> OutputType | None:
    """Return the type of a task's output; None: it promises nothing.

    `declared`: the type that the task names beside its function; `Any`: it promises nothing.
    Without it, the return annotation counts if a class with fields occurs in it (a pydantic model,
    a dataclass, a TypedDict): that is written as a contract, `-> dict` is not. One that cannot be
    written as a JSON Schema promises nothing.

    Raises UserError: `declared` cannot be written as a JSON Schema.
    """
    if declared is not None:
        return None if declared is Any else _output_type(declared, task)
    annotation = _return_annotation(function)
    if annotation is None or not _has_fields(annotation):
        return None
    try:
        return _output_type(annotation, task)
    except UserError:
        return None


def _output_type(annotation: Any, task: str) -> OutputType | None:
    what = f'task "{task}": its output'
    adapter = adapter_of(annotation, what)
    schema = schema_of(adapter, what, mode="serialization", generator=OutputJsonSchema)
    return OutputType(adapter, schema) if schema else None


def _return_annotation(function: Callable[..., Any]) -> Any:
    """Return the annotation; None if it is missing or cannot be read."""
    written = inspect.signature(function).return_annotation
    if written is inspect.Signature.empty:
        return None
    try:
        return evaluated(function, {"return": written})["return"]
    except Exception:  # noqa: BLE001  it is code of the user's, and may be for type checkers only
        return None


def _has_fields(annotation: Any) -> bool:
    if isinstance(annotation, type) and not typing.get_args(annotation):
        return (
            issubclass(annotation, BaseModel)
            or dataclasses.is_dataclass(annotation)
            or hasattr(annotation, "__required_keys__")  # also a TypedDict of typing_extensions
        )
    arguments = typing.get_args(annotation)
    origin = typing.get_origin(annotation)
    return any(map(_has_fields, arguments)) or (origin is not None and _has_fields(origin))
