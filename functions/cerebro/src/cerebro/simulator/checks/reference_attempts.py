"""Reference of attempts: how an attempt begins, as the rules read (docs/rules.md, 1 to 3 and 7).

Invariant: nothing here calls `cerebro.core.run`.
"""

from dataclasses import replace
from typing import Final

from cerebro.core.internal_messages import OverdueCheck
from cerebro.core.model.plan import PlannedTask
from cerebro.core.model.task_run import Rank, TaskRun, TimelineEntry
from cerebro.simulator.checks.handled_input import HandledInput
from cerebro.simulator.checks.unexpected import Unexpected
from cordyna_core.contract.commands import RetryRun
from cordyna_core.contract.envelope import Envelope
from cordyna_core.contract.ids import CEREBRO

_FAILED: Final = (Rank.ACK_TIMEOUT, Rank.START_TIMEOUT, Rank.RUN_TIMEOUT, Rank.ERROR)


def first_in_turn(task: PlannedTask, seen: TaskRun | None, handled: HandledInput) -> TaskRun:
    """Return the first attempt of a task, or the one for which a rerun let it wait."""
    attempt = seen.attempt if seen else 1
    if task.is_join or task.reuses is not None:
        return _without_body(task, attempt, seen, handled)
    return _begun(task, attempt, attempt + task.retries, seen, handled)


def waiting_again(task: PlannedTask, seen: TaskRun | None, handled: HandledInput) -> TaskRun:
    """A rerun lets a task wait, whatever it was, unless it was cancelled."""
    message = handled.message
    command = message.message if isinstance(message, Envelope) else None
    if not isinstance(command, RetryRun) or not command.downstream:
        raise Unexpected(f"{task.name} waits again, but no rerun asked for it")
    if seen is not None and seen.rank == Rank.WAITING:
        return replace(seen, rev=seen.rev + 1)
    if seen is not None and seen.rank == Rank.CANCELLED:
        raise Unexpected(f"{task.name}: a rerun began after rank {Rank(seen.rank).name}")
    attempt = seen.attempt + 1 if seen else 1
    entry = TimelineEntry("pending", "waiting", handled.clock, CEREBRO, attempt)
    return TaskRun(
        attempt=attempt,
        rank=Rank.WAITING,
        reason="waiting",
        cause=handled.cause,
        timeline=(*(seen.timeline if seen else ()), entry),
        rev=seen.rev + 1 if seen else 1,
    )


def next_attempt(task: PlannedTask, seen: TaskRun, handled: HandledInput) -> TaskRun:
    """A retry after a back-off continues the budget; a RetryRun gives a new one."""
    if seen.rank not in _FAILED:
        raise Unexpected(f"{task.name}: an attempt began after rank {Rank(seen.rank).name}")
    attempt = seen.attempt + 1
    if seen.deadline is None:
        _require_retry_run(task, handled)
        return _begun(task, attempt, attempt + task.retries, seen, handled)
    message = handled.message
    if not isinstance(message, OverdueCheck) or seen.deadline > message.asked_at:
        raise Unexpected(f"{task.name}: a retry began that no overdue check found due")
    return _begun(task, attempt, seen.attempts_allowed, seen, handled)


def _require_retry_run(task: PlannedTask, handled: HandledInput) -> None:
    message = handled.message
    command = message.message if isinstance(message, Envelope) else None
    if not isinstance(command, RetryRun):
        raise Unexpected(f"{task.name}: a permanent failure was retried without a RetryRun")
    if command.from_ and task.name not in command.from_:
        raise Unexpected(f"{task.name}: it was retried, but the RetryRun names {command.from_}")


def _begun(
    task: PlannedTask, attempt: int, budget: int, seen: TaskRun | None, handled: HandledInput
) -> TaskRun:
    now = handled.clock
    return TaskRun(
        attempt=attempt,
        rank=Rank.PENDING,
        reason="dispatched",
        deadline=now + task.ack_timeout_s,
        cause=handled.cause,
        attempts_allowed=budget,
        dispatched_at=now,
        timeline=(
            *(seen.timeline if seen else ()),
            TimelineEntry("pending", "dispatched", now, CEREBRO, attempt),
        ),
        rev=seen.rev + 1 if seen else 1,
    )


def with_new_clock(task: PlannedTask, seen: TaskRun, handled: HandledInput) -> TaskRun:
    """The input that dispatched it sends its command late: its clock starts then."""
    now = handled.clock
    is_expired = seen.rank == Rank.ACK_TIMEOUT and seen.deadline is None
    if handled.cause != (seen.dispatched_by if is_expired else seen.cause):
        raise Unexpected(f"{task.name}: another input started its clock again")
    if not is_expired and (
        seen.rank != Rank.PENDING or now <= seen.dispatched_at + task.ack_timeout_s / 2
    ):
        raise Unexpected(f"{task.name}: its clock started again in rank {Rank(seen.rank).name}")
    if is_expired and now > seen.dispatched_at + task.ack_timeout_s + task.start_timeout_s:
        raise Unexpected(f"{task.name}: its clock started again after its start_by")
    deadline = None if is_expired else now + task.ack_timeout_s
    return replace(seen, dispatched_at=now, deadline=deadline, rev=seen.rev + 1)


def _without_body(
    task: PlannedTask, attempt: int, seen: TaskRun | None, handled: HandledInput
) -> TaskRun:
    now, reuses = handled.clock, task.reuses
    reason = "reused" if reuses else None
    entry = TimelineEntry("completed", reason, now, CEREBRO, attempt)
    return TaskRun(
        attempt=attempt,
        rank=Rank.COMPLETED,
        reason=reason,
        cause=handled.cause,
        dispatched_at=reuses.dispatched_at if reuses else now,
        output=reuses.output if reuses else None,
        output_ref=reuses.output_ref if reuses else None,
        timeline=(*(seen.timeline if seen else ()), entry),
        rev=seen.rev + 1 if seen else 1,
    )
