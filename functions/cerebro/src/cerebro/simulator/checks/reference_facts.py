"""Reference of facts: the rules of a task run written a second time, and every write compared.

The rules of docs/rules.md (1 to 3, 6 to 8) are written here as plainly as they read there: without
the table of transitions, without the programs, and from the declaration of the task. What a program
writes must be equal to what they give, field by field: rank, deadline, budget, output, timeline.
How an attempt begins is in reference_attempts.py; here is how it continues and ends.

Invariant: nothing here calls `cerebro.core.run`.
"""

import hashlib
import json
from dataclasses import fields, replace
from typing import Any, Final

from cerebro.core.effects import WriteTask
from cerebro.core.internal_messages import OverdueCheck
from cerebro.core.model.plan import PlannedTask
from cerebro.core.model.run import RunSnapshot
from cerebro.core.model.task_run import Rank, TaskRun, TimelineEntry
from cerebro.simulator.checks.handled_input import HandledInput
from cerebro.simulator.checks.reference_attempts import (
    first_in_turn,
    next_attempt,
    waiting_again,
    with_new_clock,
)
from cerebro.simulator.checks.unexpected import Unexpected
from cordyna_core.contract.base import ErrorDescription, State
from cordyna_core.contract.envelope import Envelope
from cordyna_core.contract.ids import CEREBRO, content_id, server_source
from cordyna_core.contract.state_updates import TaskStateChanged

RANK_OF_STATE: Final = {
    "queued": Rank.QUEUED,
    "started": Rank.STARTED,
    "error": Rank.ERROR,
    "completed": Rank.COMPLETED,
}
_EXPIRY: Final = {
    Rank.PENDING: (Rank.ACK_TIMEOUT, "ack_timeout"),
    Rank.QUEUED: (Rank.START_TIMEOUT, "start_timeout"),
    Rank.STARTED: (Rank.RUN_TIMEOUT, "run_timeout"),
}
_NEVER_RETRIED: Final = ("failed_terminal", "refused")
_OUTPUT_BYTES_MAX: Final = 16 * 1024
_INLINE_OUTPUT_BYTES_MAX: Final = 512
_NO_ERROR: Final = ErrorDescription(type="Error", message="the server gave no description")


def check_fact(snapshot: RunSnapshot, effect: WriteTask, handled: HandledInput) -> None:
    """Compare a fact that was written with what the rules give. Raises Unexpected."""
    task, seen, new = snapshot.plan.tasks[effect.index], effect.seen, effect.new
    if new.rank == Rank.CANCELLED and (seen is None or seen.rank != Rank.CANCELLED):
        expected = _cancelled(task, seen, handled, new.cause)
    elif new.rank == Rank.WAITING and not _is_update(handled.message, task):
        expected = waiting_again(task, seen, handled)
    elif seen is None or (seen.rank == Rank.WAITING and new.rank != Rank.WAITING):
        expected = first_in_turn(task, seen, handled)
    elif new.attempt != seen.attempt:
        expected = next_attempt(task, seen, handled)
    elif new.dispatched_at != seen.dispatched_at:
        expected = with_new_clock(task, seen, handled)
    elif _is_update(handled.message, task):
        expected = _updated(task, seen, handled)
    else:
        expected = _expired(task, seen, handled)
    # An output that is stored separately is not in the fact.
    compared = replace(expected, output=None) if expected.output_ref else expected
    if new != compared:
        raise Unexpected(f"{task.name}: {_difference(compared, new)}")


def _is_update(message: Any, task: PlannedTask) -> bool:
    return (
        isinstance(message, Envelope)
        and isinstance(message.message, TaskStateChanged)
        and message.message.task == task.name
    )


# --- what a server reports ------------------------------------------------------------------------
def _updated(task: PlannedTask, seen: TaskRun, handled: HandledInput) -> TaskRun:
    envelope: Envelope = handled.message
    update = envelope.message
    assert isinstance(update, TaskStateChanged)
    if envelope.source != server_source(task.server):
        raise Unexpected(f"{task.name}: an update of {envelope.source} was believed")
    sent_at = envelope.sent_at.timestamp()
    at = max(seen.timeline[-1].at, min(sent_at, handled.clock))
    if update.attempt < seen.attempt:
        return _with_late_entry(task, seen, update, envelope.source, at)
    size, rank = _size_of(update.output), rank_reported(update)
    if rank <= seen.rank or update.attempt > seen.attempt:
        raise Unexpected(f"{task.name}: {update.state} was written over {Rank(seen.rank).name}")
    seen = _with_start(seen, update, envelope.source, at)
    if rank == Rank.ERROR:
        too_large_bytes = size if update.state == "completed" else 0
        return _reported_error(task, seen, update, envelope, at, handled, too_large_bytes)
    return TaskRun(
        attempt=seen.attempt,
        rank=rank,
        deadline=_deadline(task, seen, rank, handled.clock),
        cause=handled.cause,
        attempts_allowed=seen.attempts_allowed,
        dispatched_at=seen.dispatched_at,
        output=update.output if rank == Rank.COMPLETED else None,
        output_ref=_output_ref(update.output, size) if rank == Rank.COMPLETED else None,
        timeline=(
            *seen.timeline,
            TimelineEntry(update.state, None, at, envelope.source, seen.attempt),
        ),
        rev=seen.rev + 1,
    )


def _with_start(seen: TaskRun, update: TaskStateChanged, source: str, end: float) -> TaskRun:
    """An end that names the begin of its body shows that begin, too, unless it is known."""
    if (
        update.started_at is None
        or update.state in ("queued", "started")
        or seen.rank >= Rank.STARTED
    ):
        return seen
    at = max(seen.timeline[-1].at, min(update.started_at.timestamp(), end))
    start = TimelineEntry("started", None, at, source, seen.attempt)
    return replace(seen, timeline=(*seen.timeline, start))


def rank_reported(update: TaskStateChanged) -> Rank:
    """Return what an update reports; a completion whose output is too large is an error."""
    if update.state == "completed" and _size_of(update.output) > _OUTPUT_BYTES_MAX:
        return Rank.ERROR
    return RANK_OF_STATE[update.state]


def state_shown(update: TaskStateChanged) -> State:
    """Return what a timeline shows of an update, also of one that arrives late."""
    return "error" if rank_reported(update) == Rank.ERROR else update.state


def _size_of(output: Any) -> int:
    return 0 if output is None else len(_json(output))


def _deadline(task: PlannedTask, seen: TaskRun, rank: Rank, now: float) -> float | None:
    """Queued: until the server may no longer start it. Started: until it may no longer run."""
    if rank == Rank.QUEUED:
        return max(now, seen.dispatched_at + task.ack_timeout_s) + task.start_timeout_s
    return now + task.run_timeout_s if rank == Rank.STARTED else None


def _reported_error(
    task: PlannedTask,
    seen: TaskRun,
    update: TaskStateChanged,
    envelope: Envelope,
    at: float,
    handled: HandledInput,
    too_large_bytes: int,
) -> TaskRun:
    error = update.error or _NO_ERROR
    if too_large_bytes:
        message = (
            f"the output is {too_large_bytes} bytes of JSON, more than {_OUTPUT_BYTES_MAX}: "
            "store it, and return a reference to it"
        )
        error = ErrorDescription(type="OutputTooLarge", message=message, retryable=False)
    reason = (update.reason or "failed") if error.retryable else "failed_terminal"
    pause = _back_off_s(task, seen, update.run_id)
    return _ended(seen, Rank.ERROR, reason, error, envelope.source, at, handled, pause)


def _with_late_entry(
    task: PlannedTask, seen: TaskRun, update: TaskStateChanged, source: str, at: float
) -> TaskRun:
    """The end of an older attempt is shown once, and changes nothing else."""
    known = {(entry.attempt, entry.state, entry.by) for entry in seen.timeline}
    state = state_shown(update)
    is_end = state in ("completed", "error")
    if not is_end or (update.attempt, state, source) in known:
        raise Unexpected(f"{task.name}: {state} of an older attempt was written again")
    late = TimelineEntry(state, "late", at, source, update.attempt)
    return replace(seen, timeline=(*seen.timeline, late), rev=seen.rev + 1)


# --- how an attempt ends --------------------------------------------------------------------------
def _expired(task: PlannedTask, seen: TaskRun, handled: HandledInput) -> TaskRun:
    message = handled.message
    if seen.rank not in _EXPIRY or seen.deadline is None:
        raise Unexpected(f"{task.name}: rank {Rank(seen.rank).name} was expired")
    if not isinstance(message, OverdueCheck) or seen.deadline > message.asked_at:
        raise Unexpected(f"{task.name}: a clock was expired that no overdue check found due")
    rank, reason = _EXPIRY[Rank(seen.rank)]
    error = ErrorDescription(type="Timeout", message=EXPIRY_MESSAGE[reason])
    pause = _back_off_s(task, seen, message.run_id)
    return _ended(seen, rank, reason, error, CEREBRO, handled.clock, handled, pause)


EXPIRY_MESSAGE: Final = {
    "ack_timeout": "the server did not acknowledge the command in time",
    "start_timeout": "the server queued the task but did not start it in time",
    "run_timeout": "the server started the task but did not finish it in time",
}


def _ended(
    seen: TaskRun,
    rank: Rank,
    reason: str,
    error: ErrorDescription,
    source: str,
    at: float,
    handled: HandledInput,
    pause: float,
) -> TaskRun:
    is_retried = seen.attempt < seen.attempts_allowed and reason not in _NEVER_RETRIED
    timeline = (*seen.timeline, TimelineEntry("error", reason, at, source, seen.attempt))
    if is_retried:
        waits = TimelineEntry("pending", "retry_wait", handled.clock, CEREBRO, seen.attempt)
        timeline = (*timeline, waits)
    return replace(
        seen,
        rank=rank,
        reason=reason,
        deadline=handled.clock + pause if is_retried else None,
        cause=handled.cause,
        dispatched_by=seen.cause if reason == "ack_timeout" and source == CEREBRO else None,
        error=error,
        timeline=timeline,
        rev=seen.rev + 1,
    )


def _back_off_s(task: PlannedTask, seen: TaskRun, run_id: str) -> float:
    """As declared: 5 s, 10 s, 20 s, ... at most 600 s, and up to a quarter more, as a hash says."""
    pause = float(task.retry_delay_s)
    for _ in range(seen.attempt - 1):
        pause = min(float(task.retry_max_delay_s), pause * task.retry_backoff)
    if not task.retry_jitter:
        return pause
    hashed = hashlib.sha256(f"{run_id}/{task.name}/{seen.attempt}".encode()).digest()[0]
    return pause * (1 + hashed / 255 / 4)


def _cancelled(
    task: PlannedTask, seen: TaskRun | None, handled: HandledInput, cause: str
) -> TaskRun:
    if seen is None or seen.deadline is None:
        raise Unexpected(f"{task.name}: something was cancelled that was not live")
    if cause not in (handled.cause, seen.cause):
        raise Unexpected(f"{task.name}: it was cancelled in the name of another input")
    entry = TimelineEntry("error", "cancelled", handled.clock, CEREBRO, seen.attempt)
    return replace(
        seen,
        rank=Rank.CANCELLED,
        reason="cancelled",
        deadline=None,
        cause=cause,
        error=None,
        timeline=(*seen.timeline, entry),
        rev=seen.rev + 1,
    )


def _output_ref(output: Any, size: int) -> str | None:
    """A large output is stored separately, under a hash of its content."""
    return content_id("output", _json(output).decode()) if size > _INLINE_OUTPUT_BYTES_MAX else None


def _json(value: Any) -> bytes:
    return _to_json(value).encode()


_to_json: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def _difference(expected: TaskRun, new: TaskRun) -> str:
    wrong = [
        f"{field.name} is {getattr(new, field.name)!r}, not {getattr(expected, field.name)!r}"
        for field in fields(TaskRun)
        if getattr(new, field.name) != getattr(expected, field.name)
    ]
    return "; ".join(wrong)
