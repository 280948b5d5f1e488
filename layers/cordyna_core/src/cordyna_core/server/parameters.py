"""Parameters: what a task's function takes, read from its signature.

Invariant: a function is called only with the parameters of its signature, of the types that it
names.
"""

import inspect
import warnings
from collections.abc import Callable, Collection, Mapping
from typing import Any

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PydanticUserError,
    ValidationError,
    create_model,
)
from pydantic.errors import PydanticSchemaGenerationError
from pydantic.fields import FieldInfo
from pydantic.json_schema import PydanticJsonSchemaWarning

from cordyna_core.contract.declaration import Upstream
from cordyna_core.contract.secret_params import has_secrets, with_secrets_changed
from cordyna_core.errors import TerminalError, UserError
from cordyna_core.server.annotations import evaluated
from cordyna_core.server.context import Context
from cordyna_core.server.params_schema import params_schema_of
from cordyna_core.server.secrets import (
    DEFAULT_RULE,
    references_in,
    refuse_unresolved,
    resolve_secret,
)
from cordyna_core.server.upstream_types import upstream_parameters

_CONTEXT_NAME = "ctx"
_BY_NAME = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)


class InvalidParams(TerminalError):
    """The params of a RunTask are not those that the function takes."""


class _NoParams(BaseModel):
    """The model of a function without parameters."""

    model_config = ConfigDict(extra="forbid", defer_build=True)


class Parameters:
    """The parameters of a function: their JSON Schema, and how params become arguments.

    `context_name`: the parameter that takes the Context, if any.
    `schema`: the JSON Schema of the others; None if there are no others. A parameter that takes the
    output of an upstream is not in it.

    Raises:
        UserError: the signature has a parameter that cannot be given by name from JSON.
    """

    def __init__(self, function: Callable[..., Any], task: str) -> None:
        signature = _signature(function, task)
        annotations = _annotations(function, signature, task)
        self.context_name = next(
            (
                name
                for name in signature
                if name == _CONTEXT_NAME or annotations.get(name) is Context
            ),
            None,
        )
        self._upstream = upstream_parameters(signature, annotations, task)
        if self.context_name in self._upstream:
            raise UserError(
                f'task "{task}": {self.context_name} is the context of a body, and no upstream',
                next=f"rename it: <name>: Annotated[<type>, "
                f'upstream("{self._upstream[self.context_name].task}")]',
            )
        own = {self.context_name, *self._upstream}
        self._model = _model(
            task, {name: p for name, p in signature.items() if name not in own}, annotations
        )
        self._names = {name: info.alias or name for name, info in self._model.model_fields.items()}
        _refuse_wrong_defaults(self._model, task, function)
        self._has_required = any(info.is_required() for info in self._model.model_fields.values())
        self.schema = _schema(self._model, task) if self._names else None
        self._takes_secrets = has_secrets(self.schema)
        self._secret_defaults = {
            name: reference
            for name, p in signature.items()
            if name not in own and (reference := _default_reference(name, p.default, task))
        }

    @property
    def takes_upstream(self) -> bool:
        """Whether outputs of upstreams are parameters."""
        return bool(self._upstream)

    @property
    def edges(self) -> list[str | Upstream]:
        """The upstreams whose outputs are parameters, in their order."""
        return [parameter.edge for parameter in self._upstream.values()]

    def upstream_arguments(self, outputs: Mapping[str, Any]) -> dict[str, Any]:
        """Return the arguments that are outputs of upstreams.

        Raises:
            UpstreamMismatch: an output is not of the type that the parameter names.
            MissingUpstream: an output was not sent.
        """
        return {name: one.argument(outputs) for name, one in self._upstream.items()}

    def with_secrets(self, params: Mapping[str, Any]) -> tuple[Mapping[str, Any], tuple[str, ...]]:
        """Return params with references replaced by the secrets that they name, and these secrets.

        A default that is a reference counts, too. Raises SecretNotResolved.
        """
        if not self._takes_secrets or self.schema is None:
            return params, ()
        secrets: list[str] = []

        def resolved(path: str, reference: Any) -> Any:
            del path
            if reference is None:
                return None
            secrets.append(resolve_secret(reference))
            return secrets[-1]

        given = {**self._secret_defaults, **params}
        return with_secrets_changed(given, self.schema, resolved), tuple(secrets)

    def bind(self, params: Mapping[str, Any], secrets: Collection[str] = ()) -> dict[str, Any]:
        """Return the arguments of the function; an absent param is left to its own default.

        `secrets`: those that are in the params, resolved.

        Raises:
            InvalidParams: a param is missing, unknown, or not of its type.
            SecretNotResolved: a default within a param is a reference.
        """
        if not params and not self._has_required:
            return {}
        try:
            model = self._model.model_validate(params)
        except ValidationError as invalid:
            errors = invalid.errors(include_url=False, include_context=False, include_input=False)
            raise InvalidParams(
                "; ".join(f"{'.'.join(map(str, error['loc']))}: {error['msg']}" for error in errors)
            ) from None
        arguments = {self._names[field]: getattr(model, field) for field in model.model_fields_set}
        for name, value in arguments.items():
            _refuse_equal_keys(name, params[name], value)
        if self._takes_secrets:
            refuse_unresolved(arguments, secrets)
        return arguments


def _default_reference(name: str, default: Any, task: str) -> str | None:
    """Return the reference that is the default of a secret. Raises UserError."""
    for path, reference in references_in(default, name):
        if path != name:
            raise UserError(
                f'task "{task}": a part of the default of {name} is the reference {reference}',
                why=DEFAULT_RULE,
                next=f"write {name}: SecretStr = SecretStr({reference!r})",
            )
        return reference
    return None


def _refuse_equal_keys(path: str, param: Any, argument: Any) -> None:
    """Raise InvalidParams if keys of an object became equal ("1" and "1.0", as numbers)."""
    if isinstance(param, dict) and isinstance(argument, dict):
        if len(argument) < len(param):
            raise InvalidParams(f"{path}: several keys mean the same: {', '.join(param)}"[:400])
        for key, below in zip(param, argument.values(), strict=True):
            _refuse_equal_keys(f"{path}.{key}", param[key], below)
    elif isinstance(param, list) and isinstance(argument, list | tuple):
        for index, (item, below) in enumerate(zip(param, argument, strict=False)):
            _refuse_equal_keys(f"{path}.{index}", item, below)


def _signature(function: Callable[..., Any], task: str) -> Mapping[str, inspect.Parameter]:
    if _is_generator(function):
        raise UserError(
            f'task "{task}": a task returns its result',
            why=f"{location_of(function)} yields",
            next="return the result, as a list if there are many",
        )
    parameters = inspect.signature(function).parameters
    for name, parameter in parameters.items():
        if parameter.kind not in _BY_NAME:
            raise UserError(
                f'task "{task}": parameter {parameter} cannot be given by name',
                why=f"params come as a JSON object ({location_of(function)})",
                next=f"write `{name}` as a plain parameter: "
                f"no `*{name}`, no `**{name}`, no `/` after it",
            )
        if isinstance(parameter.default, FieldInfo):
            what = f'task "{task}": the default of {name} is a Field'
            raise UserError(what, next=f"write {name}: Annotated[<type>, Field(...)] = <default>")
    return parameters


def _is_generator(function: Callable[..., Any]) -> bool:
    # A wrapper (`__wrapped__`) is not followed: it may consume what the function yields.
    while hasattr(function, "func"):  # a partial
        function = function.func
    is_plain = inspect.isroutine(function) or inspect.isclass(function)
    called = function if is_plain else type(function).__call__
    return inspect.isgeneratorfunction(called) or inspect.isasyncgenfunction(called)


def _annotations(
    function: Callable[..., Any], signature: Mapping[str, inspect.Parameter], task: str
) -> dict[str, Any]:
    # Not the return annotation: nothing needs it, and its name may exist for type checkers only.
    written = {
        name: p.annotation
        for name, p in signature.items()
        if p.annotation is not inspect.Parameter.empty
    }
    try:
        return evaluated(function, written)
    except UserError as wrong:  # of a marker: `upstream("no name")`
        what = f'task "{task}": {wrong.what}'
        raise UserError(what, why=location_of(function), next=wrong.next) from wrong
    except Exception as unreadable:  # an annotation is code of the user's: it may raise anything
        raise UserError(
            f'task "{task}": an annotation cannot be read: {unreadable}',
            why=location_of(function),
            next="name types that the module knows when it runs, not only under TYPE_CHECKING",
        ) from unreadable


def _model(
    task: str, parameters: Mapping[str, inspect.Parameter], annotations: Mapping[str, Any]
) -> type[BaseModel]:
    # Fields are numbered, and the names are aliases: a parameter may have a name that pydantic
    # reserves (`schema`, `_x`).
    fields: dict[str, Any] = {
        f"p{number}": (
            annotations.get(name, Any),
            Field(... if p.default is p.empty else p.default, alias=name),
        )
        for number, (name, p) in enumerate(parameters.items())
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


def _refuse_wrong_defaults(model: type[BaseModel], task: str, function: Callable[..., Any]) -> None:
    """Raise UserError if a default is not of the type of its parameter. None always may be one."""
    validator, blank = model.__pydantic_validator__, model.model_construct()
    for field, info in model.model_fields.items():
        if info.is_required() or info.default is None:
            continue
        try:
            validator.validate_assignment(blank, field, info.default)
        except ValidationError as invalid:
            fault = invalid.errors(include_url=False, include_context=False, include_input=False)[0]
            where = ".".join(map(str, (info.alias, *fault["loc"][1:])))
            raise UserError(
                f'task "{task}": the default of {info.alias} is not of its type',
                why=f"{where}: {fault['msg']}; it is {info.default!r} ({location_of(function)})",
                next="correct the default, or the annotation",
            ) from None


def _schema(model: type[BaseModel], task: str) -> dict[str, Any]:
    try:
        with warnings.catch_warnings():
            # A default that JSON cannot carry is only left out of the schema.
            warnings.simplefilter("ignore", PydanticJsonSchemaWarning)
            return params_schema_of(model)
    except PydanticUserError as unknown:
        what = f'task "{task}": a parameter has no JSON Schema'
        raise UserError(
            what, why=str(unknown).splitlines()[0], next="take plain JSON types"
        ) from unknown


def location_of(function: Callable[..., Any]) -> str:
    """Return the file and line of a function, or its repr if it has none."""
    code = getattr(inspect.unwrap(function), "__code__", None)
    return f"{code.co_filename}:{code.co_firstlineno}" if code is not None else repr(function)
