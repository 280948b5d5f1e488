"""New facts: the fact of a task run after an update, an expired clock or a command.

Which rank follows is read in the table of transitions; here is what else the fact says: its
deadline, budget, output, error and timeline.

Invariant: a new fact is never lower on the lattice than the one before it.
"""

import json
from dataclasses import replace
from typing import Any, Final

from cerebro.core.expiry_errors import EXPIRY_ERRORS
from cerebro.core.model.plan import PlannedTask
from cerebro.core.model.task_run import FAILED_RANKS, Rank, TaskRun, TimelineEntry
from cerebro.core.run.clocks import back_off_s, deadline_of
from cerebro.core.run.reported_failure import reported_failure
from cerebro.core.run.timeline import (
    attempt_timeline,
    in_timeline_order,
    with_late_entry,
    with_start,
)
from cerebro.core.run.transitions import EXPIRY_REASON, TRANSITIONS, Input, Outcome, outcome_of
from cordyna_core.contract.base import ErrorDescription, State
from cordyna_core.contract.ids import CEREBRO, content_id
from cordyna_core.contract.json_values import json_size
from cordyna_core.contract.limits import MAX_OUTPUT_BYTES, output_too_large
from cordyna_core.contract.reasons import is_retryable
from cordyna_core.contract.state_updates import TaskStateChanged

MAX_INLINE_OUTPUT_BYTES: Final = 512
"""A larger output is stored separately: a fact stays below 1 KB, one DynamoDB write unit."""


_to_json: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def begin_attempt(task: PlannedTask, before: TaskRun | None, *, cause: str, now: float) -> TaskRun:
    """Return the fact of the next attempt, whose command is about to be sent.

    An attempt that a person asked for, by a RetryRun, gets a new budget of retries. One that
    follows by itself continues the budget of the one before.
    """
    attempt = _next_attempt(before)
    if before is not None and before.waits_for_retry:
        attempts_allowed = before.attempts_allowed
    else:
        attempts_allowed = attempt + task.retries
    return TaskRun(
        attempt=attempt,
        rank=Rank.PENDING,
        reason="dispatched",
        deadline=now + task.ack_timeout_s,
        cause=cause,
        attempts_allowed=attempts_allowed,
        dispatched_at=now,
        timeline=_with_entry(before, "dispatched", attempt, now),
        rev=before.rev + 1 if before else 1,
    )


def wait_again(before: TaskRun | None, *, cause: str, now: float) -> TaskRun:
    """Return the fact of an attempt that a rerun asks for and that waits for its upstream.

    One that waits already is the same with the next `rev`: a dispatch that read its upstreams
    before they waited finds another fact.
    """
    if before is not None and before.is_waiting:
        return replace(before, rev=before.rev + 1)
    attempt = before.attempt + 1 if before else 1
    return TaskRun(
        attempt=attempt,
        rank=Rank.WAITING,
        reason="waiting",
        cause=cause,
        timeline=_with_entry(before, "waiting", attempt, now),
        rev=before.rev + 1 if before else 1,
    )


def complete_without_body(
    task: PlannedTask, before: TaskRun | None, *, cause: str, now: float
) -> TaskRun:
    """Return the completed fact of a join, or of a task that reuses a result."""
    reason, result = ("reused", task.reuses) if task.reuses else (None, None)
    attempt = _next_attempt(before)
    return TaskRun(
        attempt=attempt,
        rank=Rank.COMPLETED,
        reason=reason,
        cause=cause,
        dispatched_at=result.dispatched_at if result else now,
        output=result.output if result else None,
        output_ref=result.output_ref if result else None,
        timeline=attempt_timeline(
            before, TimelineEntry("completed", reason, now, CEREBRO, attempt)
        ),
        rev=before.rev + 1 if before else 1,
    )


def apply_update(
    task: PlannedTask,
    fact: TaskRun,
    update: TaskStateChanged,
    *,
    by: str,
    cause: str,
    sent_at: float,
    now: float,
) -> TaskRun | None:
    """Return the fact after a server's update; None if the update changes nothing."""
    size = 0 if update.output is None else json_size(update.output)
    is_too_large = update.state == "completed" and size > MAX_OUTPUT_BYTES
    outcome = outcome_of(fact, update, is_too_large=is_too_large)
    if outcome is Outcome.LATE:
        state: State = "error" if is_too_large else update.state
        return with_late_entry(fact, update, state, by=by, sent_at=sent_at, now=now)
    if not isinstance(outcome, Rank):
        return None
    at = in_timeline_order(fact, sent_at, now)
    if update.started_at is not None:
        fact = with_start(fact, update, by=by, before=at)
    if outcome is Rank.ERROR:
        failure = _output_too_large(size) if is_too_large else reported_failure(update)
        return _failed_by(update, task, fact, failure, by=by, at=at, cause=cause, now=now)
    completed = outcome is Rank.COMPLETED
    deadline = None
    if not completed:
        deadline = deadline_of(task, outcome, dispatched_at=fact.dispatched_at, now=now)
    # Not by `replace`, which takes twice as long: this is done twice for each task of a run.
    return TaskRun(
        attempt=fact.attempt,
        rank=outcome,
        deadline=deadline,
        cause=cause,
        attempts_allowed=fact.attempts_allowed,
        dispatched_at=fact.dispatched_at,
        output=update.output if completed else None,
        output_ref=_output_ref(update.output, size) if completed else None,
        timeline=(*fact.timeline, TimelineEntry(update.state, None, at, by, fact.attempt)),
        rev=fact.rev + 1,
    )


def expire(task: PlannedTask, fact: TaskRun, *, run_id: str, cause: str, now: float) -> TaskRun:
    """Return the fact after its clock expired."""
    rank = TRANSITIONS[fact.rank, Input.DEADLINE]
    assert isinstance(rank, Rank), fact.rank
    entry = TimelineEntry("error", EXPIRY_REASON[rank], now, CEREBRO, fact.attempt)
    error = EXPIRY_ERRORS[EXPIRY_REASON[rank]]
    back_off = back_off_s(task, fact.attempt, run_id=run_id)
    failed = _failed(fact, rank, entry, error, back_off, cause=cause, now=now)
    # Its command may not have left: see own_attempts.py.
    return replace(failed, dispatched_by=fact.cause) if rank is Rank.ACK_TIMEOUT else failed


def cancel_task_run(fact: TaskRun, *, cause: str, now: float) -> TaskRun:
    """Return the fact of a live task run whose run was cancelled; nothing changes it any more."""
    return replace(
        fact,
        rank=Rank.CANCELLED,
        reason="cancelled",
        deadline=None,
        cause=cause,
        error=None,
        timeline=(*fact.timeline, TimelineEntry("error", "cancelled", now, CEREBRO, fact.attempt)),
        rev=fact.rev + 1,
    )


def _failed_by(
    update: TaskStateChanged,
    task: PlannedTask,
    fact: TaskRun,
    failure: tuple[str, ErrorDescription],
    *,
    by: str,
    at: float,
    cause: str,
    now: float,
) -> TaskRun:
    reason, error = failure
    entry = TimelineEntry("error", reason, at, by, fact.attempt)
    back_off = back_off_s(task, fact.attempt, run_id=update.run_id)
    return _failed(fact, Rank.ERROR, entry, error, back_off, cause=cause, now=now)


def _failed(
    fact: TaskRun,
    rank: Rank,
    entry: TimelineEntry,
    error: ErrorDescription,
    back_off: float,
    *,
    cause: str,
    now: float,
) -> TaskRun:
    """Return the fact after its attempt failed as `entry` says; `back_off`: if it is retried."""
    assert rank in FAILED_RANKS
    reason = entry.reason or "failed"
    is_retried = fact.attempt < fact.attempts_allowed and is_retryable(reason)
    timeline = (*fact.timeline, entry)
    if is_retried:
        timeline = (*timeline, TimelineEntry("pending", "retry_wait", now, CEREBRO, fact.attempt))
    return replace(
        fact,
        rank=rank,
        reason=reason,
        deadline=now + back_off if is_retried else None,
        cause=cause,
        dispatched_by=None,
        error=error,
        timeline=timeline,
        rev=fact.rev + 1,
    )


def _next_attempt(before: TaskRun | None) -> int:
    if before is None:
        return 1
    return before.attempt if before.rank == Rank.WAITING else before.attempt + 1


def _with_entry(
    before: TaskRun | None, reason: str, attempt: int, now: float
) -> tuple[TimelineEntry, ...]:
    return attempt_timeline(before, TimelineEntry("pending", reason, now, CEREBRO, attempt))


def _output_ref(output: Any, size: int) -> str | None:
    """Return the name under which an output is stored separately; None if it is small."""
    return content_id("output", _to_json(output)) if size > MAX_INLINE_OUTPUT_BYTES else None


def _output_too_large(size: int) -> tuple[str, ErrorDescription]:
    message = output_too_large(size)
    error = ErrorDescription(type="OutputTooLarge", message=message, retryable=False)
    return "failed_terminal", error
