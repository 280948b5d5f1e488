"""Track: what a state update or a passed deadline means for a task run.

Law: a message that is not for the current attempt, or not higher in rank, is stale. A stale message changes no
state, and its effects are done again all the same, because the first time may have crashed half way.
"""

import hashlib
import json
from dataclasses import replace
from typing import Any, Final

from cerebro.core.model import RANK_OF, PlannedTask, Rank, TaskRun, TimelineEntry
from cordyna_core.contract.base import ErrorDescription
from cordyna_core.contract.ids import CEREBRO
from cordyna_core.contract.state_updates import TaskStateChanged

FIRST_BACK_OFF_S: Final = 5.0
LONGEST_BACK_OFF_S: Final = 600.0
SMALL_OUTPUT_BYTES: Final = 512
"""A larger output is kept apart from its fact, so that a fact stays below 1 KB (one DynamoDB write unit)."""

MAX_OUTPUT_CHARS: Final = 16 * 1024
"""A server that does not mind the limit itself (section 3) has failed: cordyna stores no blobs."""

EXPIRY_REASON: Final = {
    Rank.PENDING: "ack_timeout",
    Rank.QUEUED: "start_timeout",
    Rank.STARTED: "run_timeout",
}
"""Which clock ran out, by how far the attempt was."""

_FINAL_REASONS: Final = frozenset({"failed_terminal", "refused"})

_to_json: Final = json.JSONEncoder(ensure_ascii=False).encode


def begin_attempt(task: PlannedTask, before: TaskRun | None, *, cause: str, now: float) -> TaskRun:
    """The fact of the next attempt: its command is about to be sent, and its first clock runs.

    An attempt after a failure for good was asked for by a person: it comes with a fresh budget of retries.
    """
    attempt = before.attempt + 1 if before else 1
    budget_goes_on = before is not None and before.waits_for_retry
    return TaskRun(
        attempt=attempt,
        rank=Rank.PENDING,
        reason="dispatched",
        deadline=now + task.ack_timeout_s,
        cause=cause,
        attempts_allowed=before.attempts_allowed
        if before and budget_goes_on
        else attempt + task.retries,
        dispatched_at=now,
        timeline=(
            *(before.timeline if before else ()),
            TimelineEntry("pending", "dispatched", now, CEREBRO, attempt),
        ),
        rev=before.rev + 1 if before else 1,
    )


def complete_by_cerebro(task: PlannedTask, *, cause: str, now: float) -> TaskRun:
    """The fact of what has no body to run: a join whose upstreams have all completed, or a task that reuses a result."""
    reason, last = ("reused", task.reuses) if task.reuses else (None, None)
    return TaskRun(
        attempt=1,
        rank=Rank.COMPLETED,
        reason=reason,
        cause=cause,
        dispatched_at=last.dispatched_at if last else now,
        output=last.output if last else None,
        output_apart=last.output_apart if last else False,
        timeline=(TimelineEntry("completed", reason, now, CEREBRO, 1),),
    )


def apply_update(
    task: PlannedTask,
    fact: TaskRun,
    update: TaskStateChanged,
    *,
    by: str,
    cause: str,
    said_at: float,
    now: float,
) -> TaskRun | None:
    """The fact after a server's state update, or None when the update is stale."""
    if update.attempt != fact.attempt:
        return _with_late_fact(fact, update, by=by, said_at=said_at, now=now)
    rank = RANK_OF.get(update.state)
    if rank is None or rank <= fact.rank:
        return None
    size = _json_size(update.output)
    is_too_large = rank == Rank.COMPLETED and size > MAX_OUTPUT_CHARS
    if is_too_large and fact.rank == Rank.ERROR:
        return None  # so it has failed already
    at = _between(fact, said_at, now)
    if rank == Rank.ERROR or is_too_large:
        error = _too_large(size) if is_too_large else update.error or _NO_DESCRIPTION
        reason = "failed_terminal" if not error.retryable else update.reason or "failed"
        return _failed(fact, reason, error, by=by, cause=cause, at=at, now=now)
    completed = rank == Rank.COMPLETED
    return replace(
        fact,
        rank=rank,
        reason=None,
        deadline=None
        if completed
        else now + (task.start_timeout_s if rank == Rank.QUEUED else task.run_timeout_s),
        cause=cause,
        output=update.output if completed else None,
        output_apart=completed and size > SMALL_OUTPUT_BYTES,
        error=None,
        timeline=(*fact.timeline, TimelineEntry(update.state, None, at, by, fact.attempt)),
        rev=fact.rev + 1,
    )


def expire(fact: TaskRun, *, cause: str, now: float) -> TaskRun:
    """The fact after its clock ran out."""
    reason = EXPIRY_REASON[fact.rank]
    error = ErrorDescription(type="Timeout", message=_EXPIRY_MESSAGE[reason])
    return _failed(fact, reason, error, by=CEREBRO, cause=cause, at=now, now=now)


def fail_after_engine_crashes(fact: TaskRun, *, deaths: int, now: float) -> TaskRun:
    """The fact of an attempt that was under way whenever an engine died: it is not tried again by itself."""
    text = (
        f"the engine died {deaths} times while this ran: look whether the task ends its own process"
    )
    error = ErrorDescription(type="EngineDied", message=text, retryable=False)
    return _failed(
        fact, "failed_terminal", error, by=CEREBRO, cause=f"deaths:{deaths}", at=now, now=now
    )


_EXPIRY_MESSAGE: Final = {
    "ack_timeout": "the server did not acknowledge the command in time",
    "start_timeout": "the server queued the task but did not start it in time",
    "run_timeout": "the server started the task but did not finish it in time",
}


def _json_size(output: Any) -> int:
    return 0 if output is None else len(_to_json(output))


def _too_large(size: int) -> ErrorDescription:
    text = f"the output is {size} characters of JSON, more than {MAX_OUTPUT_CHARS}: store it, and return a reference to it"
    return ErrorDescription(type="OutputTooLarge", message=text, retryable=False)


_NO_DESCRIPTION: Final = ErrorDescription(type="Error", message="the server gave no description")


def back_off_s(attempt: int, *, seed: str) -> float:
    """Seconds to wait after `attempt` failed: exponential, with a jitter of up to a quarter that a hash decides."""
    jitter = hashlib.sha256(f"{seed}/{attempt}".encode()).digest()[0] / 255 / 4
    return min(LONGEST_BACK_OFF_S, FIRST_BACK_OFF_S * 2.0 ** (attempt - 1)) * (1 + jitter)


def _failed(
    fact: TaskRun,
    reason: str,
    error: ErrorDescription,
    *,
    by: str,
    cause: str,
    at: float,
    now: float,
) -> TaskRun:
    again = fact.attempt < fact.attempts_allowed and reason not in _FINAL_REASONS
    timeline = (*fact.timeline, TimelineEntry("error", reason, at, by, fact.attempt))
    if again:
        timeline = (*timeline, TimelineEntry("pending", "retry_wait", now, CEREBRO, fact.attempt))
    return replace(
        fact,
        rank=Rank.ERROR,
        reason=reason,
        deadline=now + back_off_s(fact.attempt, seed=fact.cause) if again else None,
        cause=cause,
        error=error,
        timeline=timeline,
        rev=fact.rev + 1,
    )


def _with_late_fact(
    fact: TaskRun, update: TaskStateChanged, *, by: str, said_at: float, now: float
) -> TaskRun | None:
    """What arrives for an older attempt is kept in the timeline and shown; it changes nothing else."""
    if update.attempt > fact.attempt or update.state not in ("completed", "error"):
        return None
    if any(
        said.attempt == update.attempt and said.state == update.state and said.by == by
        for said in fact.timeline
    ):
        return None
    late = TimelineEntry(update.state, "late", _between(fact, said_at, now), by, update.attempt)
    return replace(fact, timeline=(*fact.timeline, late), rev=fact.rev + 1)


def _between(fact: TaskRun, said_at: float, now: float) -> float:
    """The sender's own time, kept between what was said before and now: clocks differ, and a timeline runs forwards."""
    last = fact.timeline[-1].at if fact.timeline else 0.0
    return max(last, min(said_at, now))


def cancel_task_run(fact: TaskRun, *, cause: str, now: float) -> TaskRun:
    """The fact of a task run whose run was cancelled: final, whatever arrives later."""
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
