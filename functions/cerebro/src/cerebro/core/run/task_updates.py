"""Hear: what cerebro does when a task server tells of its task.

Law: write the fact first, then do what follows from it. The effects of a stale message are done again.
"""

from typing import Any

from cerebro.core.effects import (
    FanOut,
    NoteServer,
    Now,
    Publish,
    ReadRunSnapshot,
    ReadTask,
    WriteCachedResult,
)
from cerebro.core.messages import cerebro_state_changes
from cerebro.core.model import RANK_OF, CachedResult, RunSnapshot, TaskRun, page_of
from cerebro.core.planning.result_reuse import fingerprint
from cerebro.core.run.dispatch import PAGE_CHECK_DELAY_S, arm_page_timer, fan_out
from cerebro.core.run.run_access import read_run, write_task
from cerebro.core.run.run_status import end_run, mark_failing, reopen_run
from cerebro.core.run.transitions import apply_update
from cordyna_core.contract.envelope import Envelope
from cordyna_core.contract.ids import server_of
from cordyna_core.contract.state_updates import TaskStateChanged
from cordyna_core.errors import Fatal


async def task_state_changed(envelope: Envelope) -> None:
    """A server's word about its task run. Raises Fatal when it cannot be a word about anything that was sent."""
    update = envelope.message
    assert isinstance(update, TaskStateChanged)
    snapshot = await ReadRunSnapshot(update.run_id)
    index = _index(snapshot, update, envelope.source)
    assert snapshot is not None
    now = await Now()
    await NoteServer(update.server, None, now)
    fact = await ReadTask(update.run_id, index)
    while True:
        if fact is None or update.attempt > fact.attempt:
            raise Fatal(
                f"attempt {update.attempt} of task {update.task!r} was never sent in run {update.run_id}"
            )
        now = await Now()
        new = apply_update(
            snapshot.plan.tasks[index],
            fact,
            update,
            by=envelope.source,
            cause=envelope.id,
            said_at=envelope.said_at.timestamp(),
            now=now,
        )
        if new is None:
            break
        there = await write_task(update.run_id, index, new, fact)
        if there is None:
            fact = new
            break
        fact = there
    if fact.attempt != update.attempt:
        return  # a fact about the past
    if fact.cause == envelope.id and fact.was_healed:
        # Also when it was written before: the first time may have crashed before `rev` was stepped.
        await reopen_run(update.run_id, cause=envelope.id)
    await apply_consequences(snapshot, index, fact, cause=envelope.id)


async def apply_consequences(
    snapshot: RunSnapshot, index: int, fact: TaskRun, *, cause: str
) -> None:
    """What follows from a fact: who can go on, whether the run ends, who guards the next deadline."""
    run_id, page = snapshot.run.id, page_of(index)
    if fact.is_completed:
        run = await read_run(run_id)
        await _keep(snapshot, index, fact, cause=cause)
        if index == snapshot.plan.target:
            await end_run(run_id, "completed", cause=cause)
            return
        await fan_out(snapshot, FanOut(run_id, index, 0, cause), {index: fact})
        if run.failing:
            now = await Now()
            await arm_page_timer(run_id, page, now + PAGE_CHECK_DELAY_S)
    elif fact.failed_for_good:
        await mark_failing(snapshot, index, fact, cause=cause)
        now = await Now()
        await arm_page_timer(run_id, page, now + PAGE_CHECK_DELAY_S)
    elif fact.deadline is not None:
        await arm_page_timer(run_id, page, fact.deadline)
        if fact.waits_for_retry and fact.cause == cause:
            now = await Now()
            await Publish(cerebro_state_changes(snapshot, index, fact, cause=cause, now=now))


async def _keep(snapshot: RunSnapshot, index: int, fact: TaskRun, *, cause: str) -> None:
    """Note where the result is, for whoever may reuse it."""
    task = snapshot.plan.tasks[index]
    if task.kept and fact.cause == cause:
        last = CachedResult(
            snapshot.run.id,
            index,
            fact.dispatched_at,
            fact.output if not fact.output_apart else None,
            fact.output_apart,
        )
        await WriteCachedResult(task.name, fingerprint(task, snapshot.run.params), last)


async def resume_fan_out(walk_on: FanOut) -> None:
    """Cerebro's own message: the next part of a wide fan-out."""
    snapshot = await ReadRunSnapshot(walk_on.run_id)
    if snapshot is not None:
        await fan_out(snapshot, walk_on, {})


def _index(snapshot: RunSnapshot | None, update: TaskStateChanged, source: str) -> int:
    if snapshot is None:
        raise Fatal(f"run {update.run_id} is not known")
    index = snapshot.plan.index_of.get(update.task)
    if index is None:
        raise Fatal(f"task {update.task!r} is not in the plan of run {update.run_id}")
    owner: Any = snapshot.plan.tasks[index].server
    if server_of(source) != owner:
        raise Fatal(f"{source!r} may not speak of task {update.task!r}: it runs on {owner!r}")
    if update.state not in RANK_OF:
        raise Fatal(f"a server does not say {update.state!r} of a task")
    return index
