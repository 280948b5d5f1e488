"""Codecs: facts, runs and plans as compact JSON, for every store that holds text.

Invariant: decoding an encoded value gives an equal value. New fields go to the end of their list,
so that what an older version stored can be read.
"""

import json
import zlib
from dataclasses import asdict, astuple, fields
from typing import Any, Final

from cerebro.core.model import CachedResult, Plan, PlannedTask, Rank, Run, TaskRun, TimelineEntry
from cordyna_core.contract.base import ErrorDescription

_dumps: Final = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False, default=astuple).encode
_loads: Final = json.loads

_FACT_FIELDS: Final = 12
"""A longer list was stored by another version, which added fields at its end."""

_PLANNED_FIELDS: Final = tuple(field.name for field in fields(PlannedTask))


def encode_task(fact: TaskRun) -> str:
    """Encode a fact as a JSON list: field names would take half of the kilobyte that it may use."""
    return _dumps(
        [
            fact.attempt,
            fact.rank,
            fact.reason,
            fact.deadline,
            fact.cause,
            fact.attempts_allowed,
            fact.dispatched_at,
            fact.output,
            fact.output_apart,
            fact.error.model_dump(exclude_none=True) if fact.error else None,
            [(s.state, s.reason, s.at, s.by, s.attempt) for s in fact.timeline],
            fact.rev,
        ]
    )


def decode_task(text: str | bytes) -> TaskRun:
    """Decode what `encode_task` returned."""
    (
        attempt,
        rank,
        reason,
        deadline,
        cause,
        allowed,
        dispatched_at,
        output,
        apart,
        error,
        timeline,
        rev,
    ) = _loads(text)[:_FACT_FIELDS]
    return TaskRun(
        attempt=attempt,
        rank=Rank(rank),
        reason=reason,
        deadline=deadline,
        cause=cause,
        attempts_allowed=allowed,
        dispatched_at=dispatched_at,
        output=output,
        output_apart=apart,
        error=ErrorDescription.model_validate(error) if error else None,
        timeline=tuple(TimelineEntry(*entry) for entry in timeline),
        rev=rev,
    )


def encode_run(run: Run) -> str:
    """Encode a run as a JSON object."""
    return _dumps(asdict(run))


def decode_run(text: str | bytes) -> Run:
    """Decode what `encode_run` returned."""
    values: dict[str, Any] = _loads(text)
    return Run(**{**values, "commands": tuple(values["commands"])})


def encode_last(last: CachedResult) -> str:
    """Encode the location of a result as a JSON list."""
    return _dumps(astuple(last))


def decode_last(text: str | bytes) -> CachedResult:
    """Decode what `encode_last` returned."""
    return CachedResult(*_loads(text))


def encode_plan(plan: Plan) -> bytes:
    """Encode and compress a plan: 1,000 tasks take about 20 KB."""
    return zlib.compress(
        _dumps([[getattr(task, name) for name in _PLANNED_FIELDS] for task in plan.tasks]).encode(),
        level=6,
    )


def decode_plan(blob: bytes) -> Plan:
    """Decode what `encode_plan` returned."""
    return Plan(tuple(_planned_task(values) for values in _loads(zlib.decompress(blob))))


def _planned_task(values: list[Any]) -> PlannedTask:
    named = dict(zip(_PLANNED_FIELDS, values, strict=False))
    for name in ("upstream", "awaits", "params"):
        named[name] = tuple(named[name])
    if named.get("reuses") is not None:
        named["reuses"] = CachedResult(*named["reuses"])
    return PlannedTask(**named)
