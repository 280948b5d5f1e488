"""Messages: what cerebro publishes, made from facts.

Invariant: the id of a message is derived from its content, so publishing it again is idempotent.
"""

from collections.abc import Iterable, Sequence
from typing import Any, Final

from cerebro.core.expiry_errors import EXPIRY_ERRORS
from cerebro.core.model.run import Run, RunSnapshot
from cerebro.core.model.task_run import STATE_OF, Rank, TaskRun, TimelineEntry
from cordyna_core.contract.base import Message, Meta, Problem, RootCause, State, meta_at
from cordyna_core.contract.commands import CancelTask, RunTask
from cordyna_core.contract.envelope import Envelope
from cordyna_core.contract.ids import CEREBRO, derived_id
from cordyna_core.contract.json_values import json_size
from cordyna_core.contract.limits import MAX_UPSTREAM_BYTES
from cordyna_core.contract.state_updates import (
    InvocationRejected,
    RunState,
    RunStateChanged,
    TaskStateChanged,
)
from cordyna_core.contract.time import utc

ROOT_CAUSES_MAX: Final = 100
"""Root causes that one message names: thousands do not fit into an event. `dyna show` lists all."""


def run_task(
    snapshot: RunSnapshot, index: int, fact: TaskRun, outputs: dict[int, Any], *, now: float
) -> RunTask:
    """Return the command for the attempt that `fact` dispatched.

    `outputs`: the outputs of its upstream tasks, by index.
    """
    run, plan = snapshot.run, snapshot.plan
    task = plan.tasks[index]
    carried, omitted = _upstream_outputs(
        [(plan.tasks[upstream].name, outputs.get(upstream)) for upstream in task.upstream]
    )
    ack_by = fact.dispatched_at + task.ack_timeout_s
    return RunTask(
        meta=_meta(run, now, fact.cause, "RunTask", run.id, task.name, fact.attempt),
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
    """Return the command to stop an attempt."""
    task, run = snapshot.plan.tasks[index], snapshot.run
    meta = _meta(run, now, cause, "CancelTask", run.id, task.name, attempt)
    return CancelTask(meta=meta, server=task.server, run_id=run.id, task=task.name, attempt=attempt)


def cerebro_state_changes(
    snapshot: RunSnapshot, index: int, fact: TaskRun, *, cause: str
) -> tuple[TaskStateChanged, ...]:
    """Return what cerebro itself decided about the attempt.

    That is an expired clock, a cancellation, or a wait for a retry.
    """
    decided = [
        entry
        for entry in fact.timeline
        if entry.attempt == fact.attempt
        and entry.by == CEREBRO
        and entry.reason not in ("dispatched", "waiting")
    ]
    # An attempt may wait for its retry twice: its clock expired, and then it was healed by a
    # failure. These are two facts, and a reader that knows the id of the first drops a repetition.
    return tuple(
        _task_state_changed(
            snapshot, index, entry, cause=cause, repeated=_equals(decided[:place], entry)
        )
        for place, entry in enumerate(decided)
    )


def _equals(entries: Sequence[TimelineEntry], entry: TimelineEntry) -> int:
    return sum((other.state, other.reason) == (entry.state, entry.reason) for other in entries)


def cancellation_messages(
    snapshot: RunSnapshot, index: int, fact: TaskRun, *, cause: str, now: float
) -> tuple[Message, ...]:
    """Return the cancellation of an attempt and the command to stop it."""
    return (
        *cerebro_state_changes(snapshot, index, fact, cause=cause),
        cancel_task(snapshot, index, fact.attempt, cause=cause, now=now),
    )


def _task_state_changed(
    snapshot: RunSnapshot, index: int, entry: TimelineEntry, *, cause: str, repeated: int
) -> TaskStateChanged:
    """Return what an entry of the timeline says: the same one whenever it is published."""
    task, run = snapshot.plan.tasks[index], snapshot.run
    parts = (run.id, task.name, entry.attempt, entry.state, entry.reason or "")
    number = (repeated,) if repeated else ()
    return TaskStateChanged(
        meta=_meta(run, entry.at, cause, "TaskStateChanged", "cerebro", *parts, *number),
        server=task.server,
        run_id=run.id,
        task=task.name,
        attempt=entry.attempt,
        state=entry.state,
        reason=entry.reason,
        error=EXPIRY_ERRORS.get(entry.reason or ""),
    )


def run_state_changed(
    run: Run,
    state: RunState,
    *,
    cause: str,
    now: float,
    root_causes: Sequence[RootCause] = (),
    blocked: int = 0,
) -> RunStateChanged:
    """Return the state of a whole run.

    `run.rev` is part of the id: after a heal a run may end again.
    """
    return RunStateChanged(
        meta=_meta(run, now, cause, "RunStateChanged", run.id, state, run.rev),
        run_id=run.id,
        task=run.task,
        state=state,
        root_causes=list(root_causes[:ROOT_CAUSES_MAX]),
        blocked=blocked,
    )


def command_answer(
    run: Run, event_id: str, *, now: float, root_causes: Sequence[RootCause] = ()
) -> RunStateChanged:
    """Return the answer to a command about a run: the run's state, as the effect of the command.

    Each command has an answer of its own, even if another one has led to the same state.
    """
    return RunStateChanged(
        meta=_meta(run, now, event_id, "answer", run.id, event_id),
        run_id=run.id,
        task=run.task,
        state=wire_run_state(run),
        root_causes=list(root_causes[:ROOT_CAUSES_MAX]),
    )


def invocation_rejected(
    event_id: str,
    task: str,
    problems: Iterable[Problem],
    *,
    now: float,
    traceparent: str | None = None,
    sender: tuple[str, str] | None = None,
) -> Message:
    """Return the refusal of a command: a refusal is never silent.

    `sender`: the run and task whose body sent the command, if it was one.
    """
    run_id, by_task = sender or (None, None)
    message_id = derived_id("InvocationRejected", event_id)
    return InvocationRejected(
        meta=meta_at(now, message_id, event_id, traceparent),
        event_id=event_id,
        task=task,
        problems=list(problems),
        run_id=run_id,
        by_task=by_task,
    )


def traceparent_of(envelope: Envelope) -> str | None:
    """Return the trace context that a message carries."""
    meta = envelope.message.meta
    return meta.traceparent if meta else None


def _meta(run: Run, now: float, cause: str, *parts: str | int) -> Meta:
    """Return the meta of a message of a run; its id is derived from `parts`."""
    return meta_at(now, derived_id(*parts), cause, run.traceparent)


def wire_task_state(fact: TaskRun) -> State:
    """Return the state of a fact on the wire: a failure that will be retried is pending."""
    return "pending" if fact.waits_for_retry else STATE_OF[Rank(fact.rank)]


def wire_run_state(run: Run) -> RunState:
    """Return the state of a run on the wire."""
    if run.status == "running":
        return "failing" if run.failing else "running"
    return "completed" if run.status == "completed" else "error"


def _upstream_outputs(outputs: list[tuple[str, Any]]) -> tuple[dict[str, Any], list[str]]:
    """Return the outputs that fit into one command, and the names of the others."""
    room, carried, omitted = MAX_UPSTREAM_BYTES, {}, []
    for name, output in outputs:
        size = json_size(output)
        if size <= room:
            carried[name] = output
            room -= size
        else:
            omitted.append(name)
    return carried, omitted
