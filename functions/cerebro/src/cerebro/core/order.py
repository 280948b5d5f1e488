"""Order: what a person's command does to a run that exists: cancel it, or retry what failed.

Law: an applied command's id is kept with the run, so a repeated command acts once. A cancellation is final.
"""

from collections.abc import Sequence
from dataclasses import replace

from cerebro.core.cancel import cancel_live
from cerebro.core.dispatch import send_again
from cerebro.core.effects import Now, Program, Publish, ReadPage, ReadPinned, ReadRun, ReadTasks, Steps, WriteRun
from cerebro.core.ending import heal
from cerebro.core.hear import write_task
from cerebro.core.invoke import shown
from cerebro.core.model import Pinned, Rank, Run, TaskRun, lattice
from cerebro.core.say import invocation_rejected, run_state_changed
from cerebro.core.track import dispatched
from cordyna_core.contract.commands import CancelRun, RetryRun
from cordyna_core.contract.envelope import Envelope
from cordyna_core.contract.message import Problem, RootCause
from cordyna_core.contract.names import derived_id, server_of


def cancel_run(envelope: Envelope) -> Program:
    """End a run for good: what is live is cancelled and told to stop, what waits is cancelled by derivation."""
    command = envelope.message
    assert isinstance(command, CancelRun)
    pinned = yield from _addressed(envelope, command.run_id)
    if pinned is None:
        return
    command_id = command.command_id or envelope.id
    cause = derived_id("CancelRun", command.run_id, command_id)
    run: Run = yield ReadRun(command.run_id)
    while run.status != "cancelled":
        if run.status == "completed":
            yield from _refuse(envelope, run.task, "run_completed", f"run {run.id} has completed: there is nothing left to cancel")
            return
        new = replace(run, status="cancelled", rev=run.rev + 1, cause=cause, version=run.version + 1, commands=(*run.commands, command_id))
        there = yield WriteRun(new, run)
        run = new if there is None else there
    yield from cancel_live(pinned, pinned.plan.pages, cause=cause)
    now = yield Now()
    target = pinned.plan.tasks[pinned.plan.target]
    by_hand = RootCause(task=run.task, server=target.server, owner=target.owner, reason="cancelled")
    yield Publish((run_state_changed(run, "error", cause=envelope.id, now=now, root_causes=[by_hand]),))


def retry_run(envelope: Envelope) -> Program:
    """Give what failed a new attempt with a fresh budget; what completed is kept, and what was blocked follows."""
    command = envelope.message
    assert isinstance(command, RetryRun)
    pinned = yield from _addressed(envelope, command.run_id)
    if pinned is None:
        return
    command_id = command.command_id or envelope.id
    cause = derived_id("RetryRun", command.run_id, command_id)
    run: Run = yield ReadRun(command.run_id)
    if run.status == "cancelled":
        # It may have been cancelled while this command was at work, or between two deliveries of it.
        yield from cancel_live(pinned, pinned.plan.pages, cause=cause)
        yield from _refuse(envelope, run.task, "run_cancelled", f"run {run.id} was cancelled, and that is final: invoke {run.task!r} again")
        return
    unknown = [name for name in command.from_ if name not in pinned.plan.index_of]
    if unknown:
        yield from _refuse(envelope, run.task, "unknown_task", f"run {run.id} has no task {', '.join(map(repr, unknown))}")
        return
    mine, applied = yield from _dispatch_failed(pinned, command, command_id, cause)
    if not mine and not applied:
        yield from _refuse(
            envelope, run.task, "nothing_failed", f"in run {run.id} none of these tasks has failed for good: nothing to retry"
        )
        return
    if not applied:
        # Another delivery may have been quicker, and what was dispatched here may have ended since: then nothing is opened again.
        there: dict[int, TaskRun] = yield ReadTasks(command.run_id, tuple(mine))
        mine = {index: fact for index, fact in mine.items() if lattice(there[index]) == lattice(fact)}
        run = yield ReadRun(command.run_id)
        applied = command_id in run.commands and not mine
    if applied:
        now = yield Now()
        yield Publish((run_state_changed(run, shown(run), cause=envelope.id, now=now),))
    else:
        # The facts first, then `rev`: a look that read before them no longer ends the run.
        yield from heal(command.run_id, cause=envelope.id, commands=(command_id,))
    yield from send_again(pinned, mine)


def _dispatch_failed(pinned: Pinned, command: RetryRun, command_id: str, cause: str) -> Steps[tuple[dict[int, TaskRun], bool]]:
    """Give what failed its next attempt, unless the command has been applied. (What it dispatched, now or before; whether it has been.)"""
    applied = False
    mine: dict[int, TaskRun] = {}
    for page in pinned.plan.pages:
        facts: dict[int, TaskRun] = yield ReadPage(command.run_id, page)
        # After the page: what another delivery of this command dispatched, and has failed again since, is not dispatched once more.
        run: Run = yield ReadRun(command.run_id)
        applied = command_id in run.commands
        for index, seen in sorted(facts.items()):
            fact, task = seen, pinned.plan.tasks[index]
            if fact.failed_for_good and not applied and (not command.from_ or task.name in command.from_):
                now = yield Now()
                new = dispatched(task, fact, cause=cause, now=now)
                there = yield from write_task(command.run_id, index, new, fact)
                fact = new if there is None else there
            if fact.cause == cause and fact.rank == Rank.PENDING:
                mine[index] = fact
    return mine, applied


def _addressed(envelope: Envelope, run_id: str) -> Steps[Pinned | None]:
    """The run that a command is about, or None when the command was refused."""
    pinned: Pinned | None = yield ReadPinned(run_id)
    if pinned is None:
        yield from _refuse(envelope, run_id, "unknown_run", f"run {run_id} is not known: `dyna runs` lists them")
        return None
    caller, owner = server_of(envelope.source), pinned.plan.tasks[pinned.plan.target].server
    if caller is not None and caller != owner:
        yield from _refuse(envelope, pinned.run.task, "not_your_task", f"server {caller!r} may not command a run of {owner!r}'s task")
        return None
    return pinned


def _refuse(envelope: Envelope, task: str, code: str, message: str) -> Program:
    now = yield Now()
    problems: Sequence[Problem] = [Problem(code=code, message=message)]
    yield Publish((invocation_rejected(envelope.id, task, problems, now=now),))
