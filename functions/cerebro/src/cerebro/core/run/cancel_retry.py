"""Order: what a person's command does to a run that exists: cancel it, or retry what failed.

Law: an applied command's id is kept with the run, so a repeated command acts once. A cancellation is final.
"""

from collections.abc import Sequence
from dataclasses import replace

from cerebro.core.effects import (
    Now,
    Publish,
    ReadPage,
    ReadRunSnapshot,
    ReadTasks,
    WriteRun,
)
from cerebro.core.messages import invocation_rejected, run_state_changed
from cerebro.core.model import Rank, RunSnapshot, TaskRun, lattice
from cerebro.core.run.cancellation import cancel_live
from cerebro.core.run.dispatch import send_again
from cerebro.core.run.invoke import wire_state
from cerebro.core.run.run_access import read_run, write_task
from cerebro.core.run.run_status import reopen_run
from cerebro.core.run.transitions import begin_attempt
from cordyna_core.contract.base import Problem, RootCause
from cordyna_core.contract.commands import CancelRun, RetryRun
from cordyna_core.contract.envelope import Envelope
from cordyna_core.contract.ids import derived_id, server_of


async def cancel_run(envelope: Envelope) -> None:
    """End a run for good: what is live is cancelled and told to stop, what waits is cancelled by derivation."""
    command = envelope.message
    assert isinstance(command, CancelRun)
    snapshot = await _addressed(envelope, command.run_id)
    if snapshot is None:
        return
    command_id = command.command_id or envelope.id
    cause = derived_id("CancelRun", command.run_id, command_id)
    run = await read_run(command.run_id)
    while run.status != "cancelled":
        if run.status == "completed":
            await _refuse(
                envelope,
                run.task,
                "run_completed",
                f"run {run.id} has completed: there is nothing left to cancel",
            )
            return
        new = replace(
            run,
            status="cancelled",
            rev=run.rev + 1,
            cause=cause,
            version=run.version + 1,
            commands=(*run.commands, command_id),
        )
        there = await WriteRun(new, run)
        run = new if there is None else there
    await cancel_live(snapshot, snapshot.plan.pages, cause=cause)
    now = await Now()
    target = snapshot.plan.tasks[snapshot.plan.target]
    by_hand = RootCause(task=run.task, server=target.server, owner=target.owner, reason="cancelled")
    await Publish(
        (run_state_changed(run, "error", cause=envelope.id, now=now, root_causes=[by_hand]),)
    )


async def retry_run(envelope: Envelope) -> None:
    """Give what failed a new attempt with a fresh budget; what completed is kept, and what was blocked follows."""
    command = envelope.message
    assert isinstance(command, RetryRun)
    snapshot = await _addressed(envelope, command.run_id)
    if snapshot is None:
        return
    command_id = command.command_id or envelope.id
    cause = derived_id("RetryRun", command.run_id, command_id)
    run = await read_run(command.run_id)
    if run.status == "cancelled":
        # It may have been cancelled while this command was at work, or between two deliveries of it.
        await cancel_live(snapshot, snapshot.plan.pages, cause=cause)
        await _refuse(
            envelope,
            run.task,
            "run_cancelled",
            f"run {run.id} was cancelled, and that is final: invoke {run.task!r} again",
        )
        return
    unknown = [name for name in command.from_ if name not in snapshot.plan.index_of]
    if unknown:
        await _refuse(
            envelope,
            run.task,
            "unknown_task",
            f"run {run.id} has no task {', '.join(map(repr, unknown))}",
        )
        return
    mine, applied = await _dispatch_failed(snapshot, command, command_id, cause)
    if not mine and not applied:
        await _refuse(
            envelope,
            run.task,
            "nothing_failed",
            f"in run {run.id} none of these tasks has failed for good: nothing to retry",
        )
        return
    if not applied:
        # Another delivery may have been quicker, and what was dispatched here may have ended since: then nothing is opened again.
        there = await ReadTasks(command.run_id, tuple(mine))
        mine = {
            index: fact for index, fact in mine.items() if lattice(there[index]) == lattice(fact)
        }
        run = await read_run(command.run_id)
        applied = command_id in run.commands and not mine
    if applied:
        now = await Now()
        await Publish((run_state_changed(run, wire_state(run), cause=envelope.id, now=now),))
    else:
        # The facts first, then `rev`: a look that read before them no longer ends the run.
        await reopen_run(command.run_id, cause=envelope.id, commands=(command_id,))
    await send_again(snapshot, mine)


async def _dispatch_failed(
    snapshot: RunSnapshot, command: RetryRun, command_id: str, cause: str
) -> tuple[dict[int, TaskRun], bool]:
    """Give what failed its next attempt, unless the command has been applied. (What it dispatched, now or before; whether it has been.)"""
    applied = False
    mine: dict[int, TaskRun] = {}
    for page in snapshot.plan.pages:
        facts = await ReadPage(command.run_id, page)
        # After the page: what another delivery of this command dispatched, and has failed again since, is not dispatched once more.
        run = await read_run(command.run_id)
        applied = command_id in run.commands
        for index, seen in sorted(facts.items()):
            fact, task = seen, snapshot.plan.tasks[index]
            if (
                fact.failed_for_good
                and not applied
                and (not command.from_ or task.name in command.from_)
            ):
                now = await Now()
                new = begin_attempt(task, fact, cause=cause, now=now)
                there = await write_task(command.run_id, index, new, fact)
                fact = new if there is None else there
            if fact.cause == cause and fact.rank == Rank.PENDING:
                mine[index] = fact
    return mine, applied


async def _addressed(envelope: Envelope, run_id: str) -> RunSnapshot | None:
    """The run that a command is about, or None when the command was refused."""
    snapshot = await ReadRunSnapshot(run_id)
    if snapshot is None:
        await _refuse(
            envelope, run_id, "unknown_run", f"run {run_id} is not known: `dyna runs` lists them"
        )
        return None
    caller, owner = server_of(envelope.source), snapshot.plan.tasks[snapshot.plan.target].server
    if caller is not None and caller != owner:
        await _refuse(
            envelope,
            snapshot.run.task,
            "not_your_task",
            f"server {caller!r} may not command a run of {owner!r}'s task",
        )
        return None
    return snapshot


async def _refuse(envelope: Envelope, task: str, code: str, message: str) -> None:
    now = await Now()
    problems: Sequence[Problem] = [Problem(code=code, message=message)]
    await Publish((invocation_rejected(envelope.id, task, problems, now=now),))
