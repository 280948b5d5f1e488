"""Upstream types: parameters of a body that take the output of an upstream task.

`clean: Annotated[Clean, upstream()]` is an edge to the task `clean`, the type that its output is
expected to have, and the parameter that is given the validated value.

Invariant: a body is called only with values of the types that it names.
"""

import inspect
import typing
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from json import dumps
from typing import Any, Final

from pydantic import PydanticUserError, TypeAdapter, ValidationError
from pydantic.errors import PydanticSchemaGenerationError
from pydantic.json_schema import PydanticJsonSchemaWarning

from cordyna_core.contract.declaration import Upstream
from cordyna_core.contract.json_schemas import TitlelessJsonSchema
from cordyna_core.contract.secret_params import has_secrets
from cordyna_core.errors import TerminalError, UserError
from cordyna_core.server.options import Duration, fresh, require_name, task_name_of
from cordyna_core.server.params_schema import ParamsJsonSchema

_FAULTS_SHOWN_MAX: Final = 10


class UpstreamMismatch(TerminalError):
    """The output of an upstream is not of the type that the body expects."""


@dataclass(frozen=True, slots=True)
class UpstreamMarker:
    """What `upstream()` returns, for `Annotated`."""

    task: str | None
    within: Duration | None
    strict: bool


def upstream(
    task: str | None = None, *, within: Duration | None = None, strict: bool = False
) -> UpstreamMarker:
    """Mark a parameter as the output of an upstream task: `clean: Annotated[Clean, upstream()]`.

    Args:
        task: the name of the upstream; default: the parameter's, `raw_orders` is `raw-orders`.
        within: as of `fresh`.
        strict: whether cerebro rejects a declaration, of either side, that breaks this type.

    Raises:
        UserError: a bad name or duration.
    """
    if task is not None:
        require_name(task, "task")
        if within is not None:
            fresh(task, within=within)
    return UpstreamMarker(task, within, strict)


@dataclass(frozen=True, slots=True)
class UpstreamParameter:
    """One parameter that takes the output of an upstream."""

    name: str
    edge: str | Upstream
    adapter: TypeAdapter[Any]

    @property
    def task(self) -> str:
        return self.edge if isinstance(self.edge, str) else self.edge.task

    def argument(self, outputs: Mapping[str, Any]) -> Any:
        """Return the validated output.

        Raises:
            UpstreamMismatch: it is not of the type.
            MissingUpstream: it was not sent.
        """
        output = outputs[self.task]
        try:
            # As JSON, so that a strict model reads dates and enums from text.
            return self.adapter.validate_json(dumps(output))
        except ValidationError as invalid:
            raise UpstreamMismatch(
                f'the output of "{self.task}" does not fit the parameter "{self.name}": '
                f"{faults_of(invalid)}"
            ) from None


def faults_of(invalid: ValidationError) -> str:
    """Return the faults that pydantic found, without the values."""
    errors = invalid.errors(include_url=False, include_context=False, include_input=False)
    shown = [
        f"{'.'.join(map(str, error['loc']))}: {error['msg']}" if error["loc"] else error["msg"]
        for error in errors[:_FAULTS_SHOWN_MAX]
    ]
    more = len(errors) - len(shown)
    return "; ".join(shown) + (f" and {more} more" if more else "")


def upstream_parameters(
    signature: Mapping[str, inspect.Parameter], annotations: Mapping[str, Any], task: str
) -> dict[str, UpstreamParameter]:
    """Return the parameters that `upstream()` marks, by name. Raises UserError."""
    found = {}
    for name, parameter in signature.items():
        if isinstance(parameter.default, UpstreamMarker):
            raise UserError(
                f'task "{task}": the default of {name} is upstream()',
                next=f"write {name}: Annotated[<type>, upstream()]",
            )
        marker = _marker(name, annotations.get(name), task)
        if marker is None:
            continue
        if parameter.default is not parameter.empty:
            raise UserError(
                f'task "{task}": {name} is the output of an upstream and has a default',
                why="an upstream always has completed before the body is called",
                next=f"remove the default of {name}",
            )
        found[name] = _parameter(name, annotations[name], marker, task)
    return found


def _marker(name: str, annotation: Any, task: str) -> UpstreamMarker | None:
    """Return the marker of a parameter. Raises UserError: it would be overlooked, or is unclear."""
    outside = [mark for mark in _metadata(annotation) if _is_marker(mark)]
    inside = any(map(_holds_marker, typing.get_args(annotation)))
    if inside or outside[1:] or upstream in outside:
        raise UserError(
            f'task "{task}": {name} is not marked as the output of one upstream',
            why="upstream() is called once, and belongs to the parameter as a whole: it is inside "
            "of its type, there twice, or not called",
            next=f"write {name}: Annotated[<the whole type>, upstream()]",
        )
    return outside[0] if outside else None


def _is_marker(mark: object) -> bool:
    return isinstance(mark, UpstreamMarker) or mark is upstream


def _holds_marker(annotation: Any) -> bool:
    """Return whether a part of a type is marked."""
    return any(map(_is_marker, _metadata(annotation))) or any(
        map(_holds_marker, typing.get_args(annotation))
    )


def _metadata(annotation: Any) -> tuple[Any, ...]:
    return getattr(annotation, "__metadata__", ())


def _parameter(name: str, annotation: Any, marker: UpstreamMarker, task: str) -> UpstreamParameter:
    adapter = adapter_of(annotation, f'task "{task}": {name}')
    expects = schema_of(adapter, f'task "{task}": {name}') or None
    upstream_task = marker.task or require_name(task_name_of(name), "task")
    if marker.strict and expects is None:
        raise UserError(
            f'task "{task}": {name} is strict and takes any value',
            next="name the type that it takes, or remove strict=True",
        )
    if has_secrets(expects):
        raise UserError(
            f'task "{task}": {name} is a secret that comes from an upstream',
            why="an output passes the bus and is kept, so it holds no secret",
            next="take the secret as a parameter, by reference",
        )
    within_s = None
    if marker.within is not None:
        within_s = fresh(upstream_task, within=marker.within).within_s
    edge: str | Upstream = upstream_task
    if expects is not None or within_s is not None:
        edge = Upstream(
            task=upstream_task, within_s=within_s, expects=expects, strict=marker.strict
        )
    return UpstreamParameter(name, edge, adapter)


def adapter_of(annotation: Any, what: str) -> TypeAdapter[Any]:
    """Return what validates values of a type. Raises UserError."""
    try:
        return TypeAdapter(annotation)
    except (PydanticSchemaGenerationError, PydanticUserError) as unknown:
        raise UserError(
            f"{what} has a type that cannot come from JSON",
            why=str(unknown).splitlines()[0],
            next="use plain JSON types, dates, enums, dataclasses or pydantic models",
        ) from unknown


def schema_of(
    adapter: TypeAdapter[Any],
    what: str,
    *,
    mode: typing.Literal["validation", "serialization"] = "validation",
    generator: type[TitlelessJsonSchema] = ParamsJsonSchema,
) -> dict[str, Any]:
    """Return the JSON Schema of a type; empty for a type that takes anything. Raises UserError."""
    try:
        with warnings.catch_warnings():
            # A default that JSON cannot carry is only left out of the schema.
            warnings.simplefilter("ignore", PydanticJsonSchemaWarning)
            schema = adapter.json_schema(mode=mode, schema_generator=generator)
    except PydanticUserError as unknown:
        raise UserError(
            f"{what} has a type without a JSON Schema",
            why=str(unknown).splitlines()[0],
            next="use plain JSON types, dates, enums, dataclasses or pydantic models",
        ) from unknown
    schema.pop("title", None)
    return schema
