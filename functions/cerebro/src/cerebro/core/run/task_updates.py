"""Task updates: what cerebro does when a task server reports the state of a task run.

An update that is written well before the first clock of its attempt runs out arms no timer. A
server reports only what it was sent, and a command is sent after its page was armed: so a timer is
under way that is due by `ack_by`, and it finds the new deadline and arms the next one.
That timer may have fired for another task of the page. Then it armed the next one for the deadline
that it found, so an update whose deadline is before the one that it replaces arms a timer, too.
Two things would prove nothing. The time before the write: the handler may have been paused since,
and that timer may be spent. The deadline of a queued attempt: its writer may not have armed it yet.

Invariant: the fact is written first, then its consequences follow. The consequences of a stale
update are repeated, because its first delivery may have crashed before it performed them.
"""

from cerebro.core.effects import (
    NoteServer,
    Now,
    Publish,
    ReadRecentTask,
    ReadRunSnapshot,
    ReadTask,
    WriteCachedResult,
)
from cerebro.core.incidents.effects import SendIncidentNotice
from cerebro.core.incidents.notices import CompletionNotice
from cerebro.core.internal_messages import FanOut
from cerebro.core.messages import cerebro_state_changes
from cerebro.core.model.plan import CachedResult, PlannedTask, page_of
from cerebro.core.model.run import Run, RunSnapshot
from cerebro.core.model.task_run import Rank, TaskRun
from cerebro.core.run.cancellation import cancel_facts
from cerebro.core.run.fan_out import fan_out
from cerebro.core.run.new_facts import apply_update
from cerebro.core.run.page_timers import CLOCK_SKEW_MARGIN_S, arm_page_check, arm_page_timer
from cerebro.core.run.repair import resume_repair
from cerebro.core.run.run_access import read_run, read_snapshot, write_task
from cerebro.core.run.run_status import announce_failure, end_run, reopen_run
from cerebro.core.run.transitions import SERVER_STATES
from cordyna_core.contract.envelope import Envelope
from cordyna_core.contract.ids import server_of
from cordyna_core.contract.state_updates import TaskStateChanged
from cordyna_core.errors import Fatal


async def task_state_changed(envelope: Envelope) -> None:
    """Apply a task server's state update.

    Raises:
        Fatal: the run, task or attempt is unknown, or the sender does not own the task.
    """
    update = envelope.message
    assert isinstance(update, TaskStateChanged)
    snapshot = await read_snapshot(update.run_id)
    index = _index_of(snapshot, update, envelope.source)
    fact, is_guarded = await _write_update(snapshot, index, update, envelope)
    if fact.attempt != update.attempt:
        return  # It is about an older attempt.
    is_revived = fact.cause == envelope.id and (fact.was_revived or fact.rank == Rank.CANCELLED)
    if is_revived and await _reopen_or_cancel(snapshot, index, fact, cause=envelope.id):
        return
    if not is_guarded:
        await apply_consequences(snapshot, index, fact, cause=envelope.id)


async def _reopen_or_cancel(
    snapshot: RunSnapshot, index: int, fact: TaskRun, *, cause: str
) -> bool:
    """Reopen the run, because this update revived the attempt. Returns whether it was cancelled.

    A cancellation passes a fact that has failed, so an update that revives it must look for one.
    Both also repeat what an earlier delivery of the update may have left undone.
    """
    if fact.rank != Rank.CANCELLED:
        run = await reopen_run(snapshot.run.id, cause=cause)
        if run.status != "cancelled" or not fact.is_live:
            return False
    await cancel_facts(snapshot, {index: fact}, cause=cause)
    return True


async def _write_update(
    snapshot: RunSnapshot, index: int, update: TaskStateChanged, envelope: Envelope
) -> tuple[TaskRun, bool]:
    """Write the update unless it is stale. Raises Fatal.

    Returns the fact as it is then, and whether nothing follows from it, because the timer of its
    command guards it.
    """
    task = snapshot.plan.tasks[index]
    fact, is_current = await ReadRecentTask(update.run_id, index), False
    now = await Now()
    await NoteServer(update.server, None, now)
    while True:
        new = None if fact is None else _updated(task, fact, update, envelope, now)
        if fact is not None and new is not None:
            conflicting = await write_task(update.run_id, index, new, fact)
            if conflicting is None:
                return new, await _is_guarded(task, fact, new)
            fact = conflicting
        elif not is_current:
            # Only a write that succeeded proves that a recent fact is still the stored one.
            fact = await ReadTask(update.run_id, index, fresh=True)
        elif fact is not None and update.attempt <= fact.attempt:
            return fact, False
        else:
            raise Fatal(
                f"attempt {update.attempt} of task {update.task!r} was never sent "
                f"in run {update.run_id}"
            )
        is_current, now = True, await Now()


def _updated(
    task: PlannedTask, fact: TaskRun, update: TaskStateChanged, envelope: Envelope, now: float
) -> TaskRun | None:
    """Return the fact after the update; None if the update changes nothing of this fact."""
    return apply_update(
        task,
        fact,
        update,
        by=envelope.source,
        cause=envelope.id,
        sent_at=envelope.sent_at.timestamp(),
        now=now,
    )


async def _is_guarded(task: PlannedTask, replaced: TaskRun, new: TaskRun) -> bool:
    """Return whether the timer of the command guards the fact that was just written."""
    if replaced.rank not in (Rank.PENDING, Rank.QUEUED) or replaced.deadline is None:
        return False
    if new.rank not in (Rank.QUEUED, Rank.STARTED) or new.deadline is None:
        return False
    if not any(entry.at == new.dispatched_at for entry in new.timeline):
        return False  # its clock started again, perhaps by a handler that crashed before it armed
    ack_by = new.dispatched_at + task.ack_timeout_s
    written_by = await Now()
    return written_by + CLOCK_SKEW_MARGIN_S < ack_by and replaced.deadline <= new.deadline


async def apply_consequences(
    snapshot: RunSnapshot, index: int, fact: TaskRun, *, cause: str
) -> None:
    """Do what follows from a fact: continue downstream, end the run, guard the next deadline."""
    run_id, page = snapshot.run.id, page_of(index)
    if fact.is_completed:
        await _record_result(snapshot, index, fact, cause=cause)
        checked: Run | None = None
        if index != snapshot.plan.target:
            checked = await fan_out(snapshot, FanOut(run_id, index, 0, cause), {index: fact})
        # Only after the fact was written: what is read here decides who else is informed of it.
        run = checked or await read_run(run_id)
        if index in run.watched:
            notice = CompletionNotice(run_id, index, fact.attempt, fact.dispatched_at)
            await SendIncidentNotice(notice)
        if index == snapshot.plan.target:
            await end_run(snapshot, "completed", cause=cause, seen=run)
        elif run.failing:
            await arm_page_check(run_id, page)
    elif fact.failed_permanently:
        await announce_failure(snapshot, index, fact, cause=cause)
        await arm_page_check(run_id, page)
    elif fact.deadline is not None:
        await arm_page_timer(run_id, page, fact.deadline)
        if fact.waits_for_retry and fact.cause == cause:
            await Publish(cerebro_state_changes(snapshot, index, fact, cause=cause))


async def _record_result(snapshot: RunSnapshot, index: int, fact: TaskRun, *, cause: str) -> None:
    """Record where the result is, if a later run may reuse it."""
    task = snapshot.plan.tasks[index]
    if task.kept and fact.cause == cause:
        result = CachedResult(
            snapshot.run.id,
            index,
            fact.dispatched_at,
            fact.output if fact.output_ref is None else None,
            fact.output_ref,
            snapshot.fingerprints[index],
        )
        await WriteCachedResult(task.name, result.fingerprint, result)


async def resume_fan_out(message: FanOut) -> None:
    """Continue a fan-out, or the repair of a page, with its next part."""
    snapshot = await ReadRunSnapshot(message.run_id)
    if snapshot is None:
        return
    if message.page is not None:
        await resume_repair(snapshot, message)
    else:
        await fan_out(snapshot, message, {})


def _index_of(snapshot: RunSnapshot, update: TaskStateChanged, source: str) -> int:
    """Return the index of the task that an update is about. Raises Fatal."""
    index = snapshot.plan.index_of.get(update.task)
    if index is None:
        raise Fatal(f"task {update.task!r} is not in the plan of run {update.run_id}")
    owner = snapshot.plan.tasks[index].server
    if server_of(source) != owner:
        raise Fatal(f"{source!r} may not report on task {update.task!r}: it runs on {owner!r}")
    if update.state not in SERVER_STATES:
        raise Fatal(f"a server does not report state {update.state!r} of a task")
    return index
