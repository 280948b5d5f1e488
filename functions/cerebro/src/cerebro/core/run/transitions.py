"""Transitions: the new fact of a task run after an update, an expired deadline or a command.

Theory of operation. A task run is a register that only moves up. Its position is (attempt, rank),
compared as a pair, and its state is the highest position that was ever reported. Updates may
therefore arrive twice, late, or in any order: the maximum of a set does not depend on the order in
which its members are looked at.

TRANSITIONS below is the whole machine. A row is the rank of the current attempt, a column is what
arrives. The answer is one of:

    a rank         the fact moves to it; it is always higher than the row
    NEXT_ATTEMPT   this attempt ends, and the next one begins as PENDING
    NEXT_WAITING   this attempt ends, and the next one begins as WAITING
    LATE           the update is about an older attempt: it joins the timeline, nothing else changes
    IGNORE         nothing is written

The last five columns are not updates of the current attempt. `deadline` applies only while a
deadline is open: the clock of a live attempt has expired, or the back-off of a failed one has
ended. `retry` (a RetryRun) applies only to a permanent failure, `cancel` (a CancelRun) only while a
deadline is open. `rerun` is a RetryRun with `downstream`. A task run without a fact is waiting; its
first attempt begins as PENDING, or as WAITING by a rerun.

Each of the three clocks has an expiry rank of its own, just above the state that it waited in. An
expiry means "nothing heard yet", so a later update of the same attempt outranks it and brings the
attempt back. A failure that the server reported (ERROR) can only be outranked by its completion.

An attempt that failed has a next one while attempts are left and its reason is retryable; then its
deadline is the end of the back-off. Otherwise it has no deadline, which is what "failed
permanently" means.

Invariant: an input that the table ignores changes no state. Its effects are repeated all the same,
because its first delivery may have crashed before it performed them (docs/rules.md, rule 1).
"""

import hashlib
import json
import math
from dataclasses import replace
from enum import Enum, auto
from typing import Any, Final

from cerebro.core.expiry_errors import EXPIRY_ERRORS
from cerebro.core.model.plan import PlannedTask
from cerebro.core.model.task_run import FAILED_RANKS, Rank, TaskRun, TimelineEntry, lattice
from cerebro.core.run.reported_failure import reported_failure
from cerebro.core.run.timeline import (
    END_STATES,
    attempt_timeline,
    in_timeline_order,
    with_late_entry,
    with_start,
)
from cordyna_core.contract.base import ErrorDescription, State
from cordyna_core.contract.ids import CEREBRO, content_id
from cordyna_core.contract.json_values import json_size
from cordyna_core.contract.limits import MAX_OUTPUT_BYTES, output_too_large
from cordyna_core.contract.reasons import is_retryable
from cordyna_core.contract.state_updates import TaskStateChanged


class Input(Enum):
    """What can arrive for a task run. The values of the first four are states of the contract."""

    QUEUED = "queued"
    STARTED = "started"
    ERROR = "error"
    COMPLETED = "completed"
    DEADLINE = "deadline"
    OLDER_END = "older end"
    RETRY = "retry"
    RERUN = "rerun"
    CANCEL = "cancel"


class Outcome(Enum):
    """The answers of the table that are not a rank."""

    NEXT_ATTEMPT = auto()
    NEXT_WAITING = auto()
    LATE = auto()
    IGNORE = auto()


# fmt: off
(
    _WAIT, _PENDING, _ACK_T, _QUEUED, _START_T, _STARTED, _RUN_T, _ERROR, _DONE, _CANCEL,
) = Rank
_NEXT, _AGAIN, _LATE, _x = Outcome

_ROWS: Final[dict[Rank, tuple[Rank | Outcome, ...]]] = {
    # rank     queued    started   error   completed deadline  older end retry  rerun   cancel
    _WAIT:    (_x,       _x,       _x,     _x,       _x,       _LATE,    _x,    _x,     _x),
    _PENDING: (_QUEUED,  _STARTED, _ERROR, _DONE,    _ACK_T,   _LATE,    _x,    _AGAIN, _CANCEL),
    _ACK_T:   (_QUEUED,  _STARTED, _ERROR, _DONE,    _NEXT,    _LATE,    _NEXT, _AGAIN, _CANCEL),
    _QUEUED:  (_x,       _STARTED, _ERROR, _DONE,    _START_T, _LATE,    _x,    _AGAIN, _CANCEL),
    _START_T: (_x,       _STARTED, _ERROR, _DONE,    _NEXT,    _LATE,    _NEXT, _AGAIN, _CANCEL),
    _STARTED: (_x,       _x,       _ERROR, _DONE,    _RUN_T,   _LATE,    _x,    _AGAIN, _CANCEL),
    _RUN_T:   (_x,       _x,       _ERROR, _DONE,    _NEXT,    _LATE,    _NEXT, _AGAIN, _CANCEL),
    _ERROR:   (_x,       _x,       _x,     _DONE,    _NEXT,    _LATE,    _NEXT, _AGAIN, _CANCEL),
    _DONE:    (_x,       _x,       _x,     _x,       _x,       _LATE,    _x,    _AGAIN, _x),
    _CANCEL:  (_x,       _x,       _x,     _x,       _x,       _LATE,    _x,    _x,     _x),
}
# fmt: on

TRANSITIONS: Final[dict[tuple[Rank, Input], Rank | Outcome]] = {
    (rank, arrived): outcome
    for rank, row in _ROWS.items()
    for arrived, outcome in zip(Input, row, strict=True)
}
"""The state machine of a task run; `docs/states.md` is drawn from it."""

EXPIRY_REASON: Final = {
    Rank.ACK_TIMEOUT: "ack_timeout",
    Rank.START_TIMEOUT: "start_timeout",
    Rank.RUN_TIMEOUT: "run_timeout",
}
"""The reason of each expiry."""

_LARGEST_EXPONENT: Final = 500.0
"""Of e: what grows beyond it is larger than every pause."""

MAX_INLINE_OUTPUT_BYTES: Final = 512
"""A larger output is stored separately: a fact stays below 1 KB, one DynamoDB write unit."""

_UPDATES: Final = {
    arrived.value: arrived
    for arrived in (Input.QUEUED, Input.STARTED, Input.ERROR, Input.COMPLETED)
}
SERVER_STATES: Final = frozenset(_UPDATES)
"""The states that a task server may report."""

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


def _next_attempt(before: TaskRun | None) -> int:
    if before is None:
        return 1
    return before.attempt if before.rank == Rank.WAITING else before.attempt + 1


def _with_entry(
    before: TaskRun | None, reason: str, attempt: int, now: float
) -> tuple[TimelineEntry, ...]:
    return attempt_timeline(before, TimelineEntry("pending", reason, now, CEREBRO, attempt))


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
    outcome = _outcome_of(fact, update, is_too_large=is_too_large)
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


def _outcome_of(fact: TaskRun, update: TaskStateChanged, *, is_too_large: bool) -> Rank | Outcome:
    arrived = Input.ERROR if is_too_large else _UPDATES.get(update.state)
    if arrived is None or update.attempt > fact.attempt:
        return Outcome.IGNORE
    if update.attempt < fact.attempt:
        if update.state not in END_STATES:
            return Outcome.IGNORE
        arrived = Input.OLDER_END
    return TRANSITIONS[fact.rank, arrived]


def deadline_of(task: PlannedTask, rank: Rank, *, dispatched_at: float, now: float) -> float:
    """Return when the clock of a live rank expires that is entered now.

    A queued attempt is waited for until the `start_by` of its command, because the server may begin
    it until then: a retry before that could overlap it (docs/rules.md, rule 3).
    """
    ack_by = dispatched_at + task.ack_timeout_s
    match rank:
        case Rank.PENDING:
            return ack_by
        case Rank.QUEUED:
            return max(now, ack_by) + task.start_timeout_s
    return now + task.run_timeout_s


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


def may_retry(fact: TaskRun) -> bool:
    """Return whether a RetryRun gives this task run a new attempt."""
    outcome = TRANSITIONS[fact.rank, Input.RETRY]
    return outcome is Outcome.NEXT_ATTEMPT and fact.failed_permanently


def may_rerun(fact: TaskRun | None) -> bool:
    """Return whether a rerun lets this task run wait for its upstream, or wait on."""
    if fact is None or fact.is_waiting:
        return True
    return TRANSITIONS[fact.rank, Input.RERUN] is Outcome.NEXT_WAITING


def has_not_moved(seen: TaskRun, stored: TaskRun) -> bool:
    """Return whether only the end of an older attempt was added since: its writer does no more."""
    return (lattice(seen), seen.deadline) == (lattice(stored), stored.deadline)


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


def back_off_s(task: PlannedTask, attempt: int, *, run_id: str) -> float:
    """Return the seconds to wait after `attempt` failed (docs/rules.md, rule 3).

    Exponential, with a jitter of up to a quarter that a hash of run, task and attempt decides.
    """
    steps = attempt - 1
    pause = float(task.retry_max_delay_s)
    if steps * math.log(task.retry_backoff) < _LARGEST_EXPONENT:
        pause = min(pause, task.retry_delay_s * task.retry_backoff**steps)
    if not task.retry_jitter:
        return pause
    digest = hashlib.sha256(f"{run_id}/{task.name}/{attempt}".encode()).digest()
    return pause * (1 + digest[0] / 255 / 4)


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


def _output_ref(output: Any, size: int) -> str | None:
    """Return the name under which an output is stored separately; None if it is small."""
    return content_id("output", _to_json(output)) if size > MAX_INLINE_OUTPUT_BYTES else None


def _output_too_large(size: int) -> tuple[str, ErrorDescription]:
    message = output_too_large(size)
    error = ErrorDescription(type="OutputTooLarge", message=message, retryable=False)
    return "failed_terminal", error
