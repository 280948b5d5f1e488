"""Codecs: facts, runs, plans and declarations as compact JSON, for every store that holds text.

Every item carries the number of its format. An addition leaves the number as it is: a reader
ignores what it does not know and takes the default for what is missing, so two versions can work
on one store during a deployment. A change that an older version would misread steps the number,
and a reader refuses an item of a newer format.

Invariant: decoding an encoded value gives an equal value. New fields go to the end of their list.
"""

import json
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import asdict, astuple, fields
from typing import Any, Final

from pydantic import ValidationError

from cerebro.core.model.plan import ADDED_FIELDS, CachedResult, Plan, PlannedTask
from cerebro.core.model.run import Run
from cerebro.core.model.task_run import Rank, TaskRun, TimelineEntry
from cordyna_core.contract.base import ErrorDescription
from cordyna_core.contract.declaration import (
    CONTRACTS,
    ServerDeclared,
    TaskDeclaration,
    Upstream,
)
from cordyna_core.errors import ServiceError

FORMAT: Final = 2
"""The format of what this version stores. 1 had other ranks, and outputs without names."""

DECODING_ERRORS: Final = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    RecursionError,
    TypeError,
    ValueError,
    zlib.error,
)
"""What the decoders raise for something that no version has written."""

CAUSE_CHARS_MAX: Final = 300
"""Of the error of a decoder, which may quote what it has read."""

_dumps: Final = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False, default=astuple).encode
_loads: Final = json.loads

_FACT_FIELDS: Final = 12
_ENTRY_FIELDS: Final = len(fields(TimelineEntry))
_RESULT_FIELDS: Final = len(fields(CachedResult))
_RUN_FIELDS: Final = frozenset(field.name for field in fields(Run))
_PLANNED_FIELDS: Final = tuple(field.name for field in fields(PlannedTask))


class OtherFormat(ServiceError):
    """A stored item has a format that this version cannot read. The item is not damaged."""


def check_format(stored: Any, item: str) -> None:
    """Raises OtherFormat unless `stored` is the number of this version's format."""
    if stored == FORMAT:
        return
    if isinstance(stored, int) and stored > FORMAT:
        raise OtherFormat(
            f"a stored {item} has format {stored}, and this version reads format {FORMAT}.",
            why="a newer version of cordyna wrote it",
            next="deploy that version again, or wait until its deployment is complete",
        )
    raise OtherFormat(
        f"a stored {item} has a format older than {FORMAT}.",
        why="it was written before this version, which does not convert it",
        next="let its run end under the older version, then deploy this one",
    )


def encode_task(fact: TaskRun) -> str:
    """Encode a fact as a JSON list: field names would take half of the kilobyte that it may use."""
    return _dumps(
        [
            # As text, because format 1 had none and began with the attempt, a number.
            str(FORMAT),
            fact.attempt,
            fact.rank,
            fact.reason,
            fact.deadline,
            fact.cause,
            fact.attempts_allowed,
            fact.dispatched_at,
            fact.output,
            fact.output_ref,
            fact.error.model_dump(exclude_none=True) if fact.error else None,
            [(s.state, s.reason, s.at, s.by, s.attempt) for s in fact.timeline],
            fact.rev,
            *(() if fact.dispatched_by is None else (fact.dispatched_by,)),
        ]
    )


def decode_task(text: str | bytes) -> TaskRun:
    """Decode what `encode_task` returned. Raises OtherFormat."""
    stored_format, *values = _loads(text)
    if stored_format != _FORMAT_TEXT:
        check_format(_number(stored_format), "task run")
    (
        attempt,
        rank,
        reason,
        deadline,
        cause,
        allowed,
        dispatched_at,
        output,
        output_ref,
        error,
        timeline,
        rev,
    ) = values[:_FACT_FIELDS]
    dispatched_by = values[_FACT_FIELDS] if len(values) > _FACT_FIELDS else None
    return TaskRun(
        attempt=attempt,
        rank=Rank(rank),
        reason=reason,
        deadline=deadline,
        cause=cause,
        attempts_allowed=allowed,
        dispatched_at=dispatched_at,
        dispatched_by=dispatched_by,
        output=output,
        output_ref=output_ref,
        error=ErrorDescription.model_validate(error) if error else None,
        timeline=tuple(TimelineEntry(*entry[:_ENTRY_FIELDS]) for entry in timeline),
        rev=rev,
    )


_FORMAT_TEXT: Final = str(FORMAT)


def _number(stored_format: Any) -> int | None:
    """Return the format of a list; None for one that carries none."""
    is_text = isinstance(stored_format, str) and stored_format.isdecimal()
    return int(stored_format) if is_text else None


def encode_run(run: Run) -> str:
    """Encode a run as a JSON object."""
    return _dumps({"format": FORMAT, **asdict(run)})


def decode_run(text: str | bytes) -> Run:
    """Decode what `encode_run` returned. Raises OtherFormat."""
    values: dict[str, Any] = _loads(text)
    check_format(values.pop("format", None), "run")
    if not values.keys() <= _RUN_FIELDS:
        values = _only(values, _RUN_FIELDS)
    values["commands"] = tuple(values.get("commands", ()))
    values["watched"] = tuple(values.get("watched", ()))
    return Run(**values)


def encode_cached_result(result: CachedResult) -> str:
    """Encode the location of a result as a JSON list."""
    return _dumps([_FORMAT_TEXT, *astuple(result)])


def decode_cached_result(text: str | bytes) -> CachedResult:
    """Decode what `encode_cached_result` returned. Raises OtherFormat."""
    stored_format, *values = _loads(text)
    check_format(_number(stored_format), "result")
    return CachedResult(*values[:_RESULT_FIELDS])


def encode_plan(plan: Plan) -> bytes:
    """Encode and compress a plan: 1,000 tasks take about 20 KB."""
    # A column in which every task has the default is left out: the reader fills it in.
    names = [
        name
        for name in _PLANNED_FIELDS
        if name not in ADDED_FIELDS
        or any(getattr(task, name) != ADDED_FIELDS[name] for task in plan.tasks)
    ]
    rows = [[getattr(task, name) for name in names] for task in plan.tasks]
    content = {"format": FORMAT, "fields": names, "tasks": rows}
    return zlib.compress(_dumps(content).encode(), level=6)


def decode_plan(blob: bytes) -> Plan:
    """Decode what `encode_plan` returned. Raises OtherFormat."""
    content = _loads(zlib.decompress(blob))
    if not isinstance(content, dict):
        check_format(None, "plan")
    check_format(content.get("format"), "plan")
    names = content["fields"]
    return Plan(tuple(_planned_task(names, values) for values in content["tasks"]))


def _planned_task(names: list[str], values: list[Any]) -> PlannedTask:
    named = {
        name: value
        for name, value in zip(names, values, strict=True)
        if name in PlannedTask.__slots__
    }
    for name in ("upstream", "awaits", "params"):
        named[name] = tuple(named.get(name, ()))
    if named.get("reuses") is not None:
        named["reuses"] = CachedResult(*named["reuses"][:_RESULT_FIELDS])
    return PlannedTask(**named)


def decode_declaration(text: str | bytes) -> ServerDeclared:
    """Decode an accepted declaration; fields of a newer version are ignored.

    On the bus an unknown field is an error, because it may be misspelt. Here it was accepted.
    """
    try:
        return ServerDeclared.model_validate_json(text)
    except ValidationError:
        return ServerDeclared.model_validate(_without_unknown_fields(_loads(text)))


def _without_unknown_fields(declared: Mapping[str, Any]) -> dict[str, Any]:
    tasks = [
        {
            **_only(task, TaskDeclaration.model_fields),
            "upstream": [
                _only(upstream, Upstream.model_fields) if isinstance(upstream, dict) else upstream
                for upstream in task.get("upstream", ())
            ],
        }
        for task in declared.get("tasks", ())
    ]
    known = _only(declared, ServerDeclared.model_fields)
    if known.get("contract", CONTRACTS[0]) not in CONTRACTS:
        known["contract"] = CONTRACTS[-1]
    return {**known, "tasks": tasks}


def _only(values: Mapping[str, Any], names: Iterable[str]) -> dict[str, Any]:
    return {name: values[name] for name in names if name in values}
