"""Say: the messages that cerebro publishes, made from facts.

Law: a message's id is derived from what it tells, so telling it twice is telling it once.
"""

import json
from collections.abc import Iterable
from typing import Any, Final

from cerebro.core.model import STATE_OF, Rank, Run, RunSnapshot, TaskRun
from cordyna_core.contract.base import Message, Problem, RootCause, meta_at
from cordyna_core.contract.commands import CancelTask, RunTask
from cordyna_core.contract.ids import derived_id
from cordyna_core.contract.state_updates import (
    InvocationRejected,
    RunState,
    RunStateChanged,
    TaskStateChanged,
)
from cordyna_core.contract.time import utc

MOST_CAUSES: Final = 100
"""Root causes that one message names: thousands would not fit into an event. `dyna show` has them all."""

MAX_UPSTREAM_BYTES: Final = 128 * 1024
"""What RunTask carries of its upstreams' outputs, together."""


def run_task(
    snapshot: RunSnapshot, index: int, fact: TaskRun, outputs: dict[int, Any], *, now: float
) -> RunTask:
    """The command for the attempt that `fact` dispatched."""
    run, plan = snapshot.run, snapshot.plan
    task = plan.tasks[index]
    carried, omitted = _carried(
        [(plan.tasks[upstream].name, outputs.get(upstream)) for upstream in task.upstream]
    )
    ack_by = fact.dispatched_at + task.ack_timeout_s
    return RunTask(
        meta=meta_at(now, derived_id("RunTask", run.id, task.name, fact.attempt), fact.cause),
        server=task.server,
        run_id=run.id,
        task=task.name,
        attempt=fact.attempt,
        params=snapshot.params_of(index),
        upstream=carried,
        upstream_omitted=omitted,
        ack_by=utc(ack_by),
        start_by=utc(ack_by + task.start_timeout_s),
        scheduled_at=None if run.scheduled_at is None else utc(run.scheduled_at),
    )


def cancel_task(
    snapshot: RunSnapshot, index: int, attempt: int, *, cause: str, now: float
) -> CancelTask:
    """The command to stop an attempt."""
    task, run_id = snapshot.plan.tasks[index], snapshot.run.id
    meta = meta_at(now, derived_id("CancelTask", run_id, task.name, attempt), cause)
    return CancelTask(meta=meta, server=task.server, run_id=run_id, task=task.name, attempt=attempt)


def cerebro_state_changes(
    snapshot: RunSnapshot, index: int, fact: TaskRun, *, cause: str, now: float
) -> tuple[TaskStateChanged, ...]:
    """What cerebro itself decided about a task run: an error by a clock, a cancellation, a wait for a retry."""
    return tuple(
        _task_state_changed(snapshot, index, fact, said.state, said.reason, cause=cause, now=now)
        for said in fact.timeline
        if said.attempt == fact.attempt
        and said.by == "cordyna.cerebro"
        and said.reason != "dispatched"
    )


def cancellation_messages(
    snapshot: RunSnapshot, index: int, fact: TaskRun, *, cause: str, now: float
) -> tuple[Message, ...]:
    """That an attempt was cancelled, and the command to stop it."""
    return (
        *cerebro_state_changes(snapshot, index, fact, cause=cause, now=now),
        cancel_task(snapshot, index, fact.attempt, cause=cause, now=now),
    )


def _task_state_changed(
    snapshot: RunSnapshot,
    index: int,
    fact: TaskRun,
    state: Any,
    reason: str | None,
    *,
    cause: str,
    now: float,
) -> TaskStateChanged:
    task, run_id = snapshot.plan.tasks[index], snapshot.run.id
    return TaskStateChanged(
        meta=meta_at(
            now,
            derived_id(
                "TaskStateChanged", "cerebro", run_id, task.name, fact.attempt, state, reason or ""
            ),
            cause,
        ),
        server=task.server,
        run_id=run_id,
        task=task.name,
        attempt=fact.attempt,
        state=state,
        reason=reason,
        error=fact.error if state == "error" else None,
    )


def run_state_changed(
    run: Run,
    state: RunState,
    *,
    cause: str,
    now: float,
    root_causes: Iterable[RootCause] = (),
    blocked: int = 0,
) -> RunStateChanged:
    """How a whole run is now. `run.rev` is part of the id: after a heal a run may end again."""
    return RunStateChanged(
        meta=meta_at(now, derived_id("RunStateChanged", run.id, state, run.rev), cause),
        run_id=run.id,
        task=run.task,
        state=state,
        root_causes=list(root_causes)[:MOST_CAUSES],
        blocked=blocked,
    )


def invocation_rejected(
    event_id: str, task: str, problems: Iterable[Problem], *, now: float
) -> Message:
    """A refusal is never silent."""
    meta = meta_at(now, derived_id("InvocationRejected", event_id), event_id)
    return InvocationRejected(meta=meta, event_id=event_id, task=task, problems=list(problems))


def wire_task_state(fact: TaskRun) -> str:
    """The wire's word for a fact's state: an error that will be tried again is pending."""
    return "pending" if fact.waits_for_retry else STATE_OF[Rank(fact.rank)]


def _carried(outputs: list[tuple[str, Any]]) -> tuple[dict[str, Any], list[str]]:
    room, carried, omitted = MAX_UPSTREAM_BYTES, {}, []
    for name, output in outputs:
        size = 4 if output is None else len(json.dumps(output))
        if size <= room:
            carried[name] = output
            room -= size
        else:
            omitted.append(name)
    return carried, omitted
