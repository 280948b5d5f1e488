"""Encoding: facts, runs and plans as compact JSON, for every store that keeps text.

Law: decoding what was encoded gives an equal value. A field is added at the end of its list, never in between.
"""

import json
import zlib
from dataclasses import asdict, astuple, fields
from typing import Any, Final

from cerebro.core.model import CachedResult, Plan, PlannedTask, Rank, Run, TaskRun, TimelineEntry
from cordyna_core.contract.base import ErrorDescription

_dumps: Final = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False, default=astuple).encode
_loads: Final = json.loads

_PLANNED_FIELDS: Final = tuple(field.name for field in fields(PlannedTask))


def encode_task(fact: TaskRun) -> str:
    """A fact as a JSON list: names would take up half of the kilobyte that it may have."""
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
            fact.deaths,
        ]
    )


def decode_task(text: str | bytes) -> TaskRun:
    """The inverse of `encode_task`."""
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
        deaths,
    ) = _loads(text)
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
        timeline=tuple(TimelineEntry(*said) for said in timeline),
        rev=rev,
        deaths=deaths,
    )


def encode_run(run: Run) -> str:
    """A run as a JSON object."""
    return _dumps(asdict(run))


def decode_run(text: str | bytes) -> Run:
    """The inverse of `encode_run`."""
    values: dict[str, Any] = _loads(text)
    return Run(**{**values, "commands": tuple(values["commands"])})


def encode_last(last: CachedResult) -> str:
    """Where a result is, as a JSON list."""
    return _dumps(astuple(last))


def decode_last(text: str | bytes) -> CachedResult:
    """The inverse of `encode_last`."""
    return CachedResult(*_loads(text))


def encode_plan(plan: Plan) -> bytes:
    """A plan, compressed: 1,000 tasks take about 20 KB."""
    return zlib.compress(
        _dumps([[getattr(task, name) for name in _PLANNED_FIELDS] for task in plan.tasks]).encode(),
        level=6,
    )


def decode_plan(blob: bytes) -> Plan:
    """The inverse of `encode_plan`."""
    return Plan(tuple(_planned(values) for values in _loads(zlib.decompress(blob))))


def _planned(values: list[Any]) -> PlannedTask:
    named = dict(zip(_PLANNED_FIELDS, values, strict=False))
    for name in ("upstream", "awaits", "params"):
        named[name] = tuple(named[name])
    if named.get("reuses") is not None:
        named["reuses"] = CachedResult(*named["reuses"])
    return PlannedTask(**named)
