"""Run: one invocation, its plan, and what each of its results is made from.

Invariant: nothing is written to a run per task. Nothing is stored that can be derived.

Times are UTC seconds since the epoch, as floats.
"""

import json
from collections.abc import Mapping
from dataclasses import field
from functools import cached_property
from hashlib import blake2b
from typing import Any, Final, Literal

from cerebro.core.model.plan import Plan
from cordyna_core.contract.frozen import fast_dataclass

RunStatus = Literal["running", "completed", "error", "cancelled"]


@fast_dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One invocation. Nothing is written here per task.

    Fields:
        failing: whether some task run has failed permanently.
        rev: steps whenever something may have come alive again (a heal, a retry); an end that was
            decided before does not apply.
        version: steps with every write; a write is conditional on it.
        cause: the id of the input that wrote it last.
        commands: the ids of the commands that were applied.
        source: who sent the invocation; None for a run of a version that did not store it.
        reruns: how often a RetryRun with `downstream` made completed tasks run again. While it is
            0, a completed fact stays completed.
        traceparent: the trace context of the invocation, handed on in every message of the run.
        watched: the task runs whose completion is noticed, because an open incident waits for it.
    """

    id: str
    task: str
    plan_id: str
    created_at: float
    cause: str
    params: dict[str, Any] = field(default_factory=dict)
    key: str | None = None
    max_age_s: int | None = None
    labels: dict[str, str] = field(default_factory=dict)
    scheduled_at: float | None = None
    status: RunStatus = "running"
    failing: bool = False
    rev: int = 0
    version: int = 1
    commands: tuple[str, ...] = ()
    source: str | None = None
    reruns: int = 0
    traceparent: str | None = None
    watched: tuple[int, ...] = ()

    @property
    def is_over(self) -> bool:
        return self.status != "running"


@fast_dataclass(frozen=True)
class RunSnapshot:
    """What never changes about a run, so it may be cached without limit.

    Of `run` only what was set at its creation may be used.
    """

    run: Run
    plan: Plan

    @cached_property
    def fingerprints(self) -> tuple[str, ...]:
        """For each task, the name of what its result is made from."""
        return fingerprints_of(self.plan, self.run.params)

    def params_of(self, index: int) -> dict[str, Any]:
        """Return those parameters of the run that this task's schema names."""
        params = self.run.params
        if not params:
            return {}
        return {name: params[name] for name in self.plan.tasks[index].params if name in params}


def fingerprints_of(plan: Plan, params: Mapping[str, Any]) -> tuple[str, ...]:
    """Return, for each task of a plan, a hash of everything that its result is made from.

    That is its declaration, the parameters that it takes, and the same of its whole upstream
    closure. A reused result keeps the fingerprint with which it was made. A join has none.
    """
    fingerprints: list[str] = []
    for task in plan.tasks:
        if task.is_join:
            fingerprints.append("")
        elif task.reuses is not None:
            fingerprints.append(task.reuses.fingerprint)
        else:
            taken = {name: params[name] for name in task.params if name in params}
            parts = [fingerprints[index] for index in task.upstream]
            parts += [task.version, _to_sorted_json(taken) if taken else ""]
            fingerprints.append(blake2b("\x1f".join(parts).encode(), digest_size=16).hexdigest())
    return tuple(fingerprints)


_to_sorted_json: Final = json.JSONEncoder(sort_keys=True, separators=(",", ":")).encode
