"""Parameters: what a task's function takes, read from its signature.

Law: a function gets what its signature names, of the types that it names, or it is not called.
"""

import inspect
import typing
import warnings
from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, PydanticUserError, ValidationError, create_model
from pydantic.errors import PydanticSchemaGenerationError
from pydantic.fields import FieldInfo
from pydantic.json_schema import PydanticJsonSchemaWarning

from cordyna_core.contract.untitled import TitlelessJsonSchema
from cordyna_core.errors import TerminalError, UserError
from cordyna_core.server.context import Context

_CONTEXT_NAME = "ctx"
_NOT_PLAIN = (inspect.iscoroutinefunction, inspect.isgeneratorfunction, inspect.isasyncgenfunction)
_BY_NAME = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)


class InvalidParams(TerminalError):
    """The params of a RunTask are not those that the function takes."""


class _NoParams(BaseModel):
    """What a function takes that takes nothing."""

    model_config = ConfigDict(extra="forbid", defer_build=True)


class Parameters:
    """A function's parameters: their JSON Schema, and a RunTask's params made into arguments.

    Raises:
        UserError: when the signature has something that cannot come by name from JSON.
    """

    def __init__(self, function: Callable[..., Any], task: str) -> None:
        taken = _signature(function, task)
        annotations = _annotations(function, taken, task)
        self.context_name = next(
            (name for name in taken if name == _CONTEXT_NAME or annotations.get(name) is Context),
            None,
        )
        self._model = _model(
            task, {name: p for name, p in taken.items() if name != self.context_name}, annotations
        )
        self._names = {name: info.alias or name for name, info in self._model.model_fields.items()}
        self._needs_any = any(info.is_required() for info in self._model.model_fields.values())
        self.schema = _schema(self._model, task) if self._names else None

    def bind(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """The function's arguments. What is not given is left to the function's own default. Raises InvalidParams."""
        if not params and not self._needs_any:
            return {}
        try:
            given = self._model.model_validate(params)
        except ValidationError as invalid:
            faults = invalid.errors(include_url=False, include_context=False, include_input=False)
            raise InvalidParams(
                "; ".join(f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in faults)
            ) from None
        return {self._names[field]: getattr(given, field) for field in given.model_fields_set}


def _signature(function: Callable[..., Any], task: str) -> Mapping[str, inspect.Parameter]:
    if any(kind(function) for kind in _NOT_PLAIN):
        what = f'task "{task}": a task is a plain function'
        raise UserError(
            what,
            why=f"{where_is(function)} is async or yields",
            next="return the result, with asyncio.run() if need be",
        )
    taken = inspect.signature(function).parameters
    for name, parameter in taken.items():
        if parameter.kind not in _BY_NAME:
            raise UserError(
                f'task "{task}": parameter {parameter} cannot be given by name',
                why=f"params come as a JSON object ({where_is(function)})",
                next=f"write `{name}` as a plain parameter: no `*{name}`, no `**{name}`, no `/` after it",
            )
        if isinstance(parameter.default, FieldInfo):
            what = f'task "{task}": the default of {name} is a Field'
            raise UserError(what, next=f"write {name}: Annotated[<type>, Field(...)] = <default>")
    return taken


def _annotations(
    function: Callable[..., Any], taken: Mapping[str, inspect.Parameter], task: str
) -> dict[str, Any]:
    # Without the return annotation, which nobody here needs and which may name what is imported for type checkers only.
    written = {
        name: p.annotation
        for name, p in taken.items()
        if p.annotation is not inspect.Parameter.empty
    }
    module = getattr(inspect.unwrap(getattr(function, "func", function)), "__globals__", {})
    try:
        return typing.get_type_hints(
            SimpleNamespace(__annotations__=written), module, include_extras=True
        )
    except Exception as unreadable:  # an annotation is code of the user's, which may raise anything
        raise UserError(
            f'task "{task}": an annotation cannot be read: {unreadable}',
            why=where_is(function),
            next="name types that the module knows when it runs, not only under TYPE_CHECKING",
        ) from unreadable


def _model(
    task: str, taken: Mapping[str, inspect.Parameter], annotations: Mapping[str, Any]
) -> type[BaseModel]:
    # Fields are numbered, and named by alias: a parameter may be called what pydantic keeps for itself (`schema`, `_x`).
    fields: dict[str, Any] = {
        f"p{number}": (
            annotations.get(name, Any),
            Field(... if p.default is p.empty else p.default, alias=name),
        )
        for number, (name, p) in enumerate(taken.items())
    }
    if not fields:
        return _NoParams
    try:
        return create_model("Params", __config__=ConfigDict(extra="forbid"), **fields)
    except (PydanticSchemaGenerationError, PydanticUserError) as unknown:
        raise UserError(
            f'task "{task}": a parameter cannot come from JSON',
            why=str(unknown).splitlines()[0],
            next="take plain JSON types, dates, enums, dataclasses or pydantic models",
        ) from unknown


def _schema(model: type[BaseModel], task: str) -> dict[str, Any]:
    try:
        with warnings.catch_warnings():
            # A default that JSON does not know is only left out of the schema.
            warnings.simplefilter("ignore", PydanticJsonSchemaWarning)
            schema = model.model_json_schema(schema_generator=TitlelessJsonSchema)
    except PydanticUserError as unknown:
        what = f'task "{task}": a parameter has no JSON Schema'
        raise UserError(
            what, why=str(unknown).splitlines()[0], next="take plain JSON types"
        ) from unknown
    schema.pop("title", None)
    return schema


def where_is(function: Callable[..., Any]) -> str:
    """The file and line of a function, as far as they are known."""
    code = getattr(inspect.unwrap(function), "__code__", None)
    return f"{code.co_filename}:{code.co_firstlineno}" if code is not None else repr(function)
