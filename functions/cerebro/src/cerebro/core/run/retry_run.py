"""Retry run: what a RetryRun does to a run that exists; with `downstream`, see rerun.py.

The next attempts are put first, then the run is opened with the id of the command, then the
commands leave. So an end that was decided before the attempts were put does not apply.

Invariant: the command acts once, also if its handler crashes (docs/rules.md, rule 7).
"""

from dataclasses import dataclass
from typing import Final

from cerebro.core.effects import Now, Publish, ReadGraph, ReadPage, ReadTasks
from cerebro.core.incidents.record import watch_run, watch_what_opened
from cerebro.core.incidents.watch import watched_tasks
from cerebro.core.messages import command_answer, run_state_changed
from cerebro.core.model.plan import PlannedTask
from cerebro.core.model.run import Run, RunSnapshot
from cerebro.core.model.task_run import Rank, TaskRun
from cerebro.core.refusal import refuse
from cerebro.core.run.cancellation import cancel_live
from cerebro.core.run.command_groups import send_commands
from cerebro.core.run.dispatch import put_next_attempt
from cerebro.core.run.moved_tasks import problems_of_moved_tasks
from cerebro.core.run.own_attempts import is_own
from cerebro.core.run.page_timers import arm_page_check
from cerebro.core.run.rerun import rerun
from cerebro.core.run.run_access import read_run
from cerebro.core.run.run_commands import addressed_run, kept_id
from cerebro.core.run.run_status import apply_command
from cerebro.core.run.transitions import may_retry
from cordyna_core.contract.base import Problem
from cordyna_core.contract.commands import RetryRun
from cordyna_core.contract.envelope import Envelope
from cordyna_core.contract.ids import derived_id
from cordyna_core.contract.refusals import (
    nothing_failed,
    rerun_under_way,
    run_cancelled,
    tasks_not_in_run,
)

COMMANDS_PER_RUN_MAX: Final = 1_000
"""The ids of applied commands are stored with their run. A run can always be cancelled."""


@dataclass(frozen=True, slots=True)
class _Begun:
    """What a RetryRun has put, now or in an earlier delivery, and whether it has been applied.

    `left_to_rerun`: the tasks that it asks for and a rerun runs again.
    """

    dispatched: dict[int, TaskRun]
    is_applied: bool
    left_to_rerun: list[str]


async def retry_run(envelope: Envelope) -> None:
    """Give what failed permanently a new attempt with a new budget of retries.

    What completed is kept, and what was blocked follows by itself. With `downstream`, the named
    tasks run again, and everything downstream of them.
    """
    command = envelope.message
    assert isinstance(command, RetryRun)
    snapshot = await addressed_run(envelope, command.run_id)
    if snapshot is None:
        return
    command_id = kept_id(command, envelope)
    cause = derived_id("RetryRun", command.run_id, command_id)
    run = await read_run(command.run_id)
    if run.status == "cancelled":
        await _refuse_cancelled(envelope, snapshot, cause=cause)
        return
    unknown = [name for name in command.from_ if name not in snapshot.plan.index_of]
    if unknown:
        await refuse(envelope, run.task, [tasks_not_in_run(unknown)])
        return
    if command_id not in run.commands and len(run.commands) >= COMMANDS_PER_RUN_MAX:
        await refuse(envelope, run.task, [_too_many_commands(run)])
        return
    if command_id not in run.commands:
        moved = await problems_of_moved_tasks(snapshot, command, cause=cause)
        if moved:
            await refuse(envelope, run.task, moved)
            return
    # Before anything is dispatched: what completes then may end an incident that is open now.
    read_at = await Now()
    graph = await ReadGraph()
    await watch_run(run.id, watched_tasks(snapshot.plan, graph.watched))
    if command.downstream:
        await _rerun(envelope, command, snapshot, command_id, cause)
    else:
        await _retry_failed(envelope, command, snapshot, command_id, cause)
    await watch_what_opened(snapshot, since=read_at)


async def _rerun(
    envelope: Envelope, command: RetryRun, snapshot: RunSnapshot, command_id: str, cause: str
) -> None:
    result = await rerun(snapshot, command, command_id, cause=cause)
    if isinstance(result, Problem):
        await refuse(envelope, snapshot.run.task, [result])
        return
    run = result
    if run.status == "cancelled":
        await _refuse_cancelled(envelope, snapshot, cause=cause)
        return
    now = await Now()
    await Publish((command_answer(run, envelope.id, now=now),))
    await _check_end(run.id)


async def _retry_failed(
    envelope: Envelope, command: RetryRun, snapshot: RunSnapshot, command_id: str, cause: str
) -> None:
    begun = await _dispatch_failed(snapshot, command, command_id, cause)
    dispatched, is_applied = begun.dispatched, begun.is_applied
    if not dispatched and not is_applied:
        run = await read_run(command.run_id)
        # Another delivery may have applied the command since the pages were read.
        is_applied = command_id in run.commands
        if run.status == "cancelled":
            await _refuse_cancelled(envelope, snapshot, cause=cause)
            return
        if not is_applied:
            reruns = begun.left_to_rerun
            problem = rerun_under_way(reruns) if reruns else nothing_failed()
            await refuse(envelope, run.task, [problem])
            return
    await _open_and_send(envelope, snapshot, command_id, cause, dispatched, is_applied=is_applied)


async def _open_and_send(
    envelope: Envelope,
    snapshot: RunSnapshot,
    command_id: str,
    cause: str,
    dispatched: dict[int, TaskRun],
    *,
    is_applied: bool,
) -> None:
    """Answer the command, open the run and send what was put for it."""
    run_id = snapshot.run.id
    if not is_applied:
        # Another delivery may have been quicker, and what was put here may have ended since: then
        # nothing is opened again. What expired because this handler was paused is sent (rule 2).
        stored = await ReadTasks(run_id, tuple(dispatched), fresh=True)
        dispatched = {index: fact for index, fact in stored.items() if _may_leave(fact, cause)}
        run = await read_run(run_id)
        is_applied = command_id in run.commands and not dispatched
    is_new = False
    if is_applied:
        run = await read_run(run_id)
    else:
        # The facts first, then `rev`: an end that was decided before them does not apply.
        run, is_new = await apply_command(run_id, command_id, cause=envelope.id)
    if run.status == "cancelled":
        await _refuse_cancelled(envelope, snapshot, cause=cause)
        return
    now = await Now()
    if is_new:
        await Publish((run_state_changed(run, "running", cause=envelope.id, now=now),))
    else:
        await Publish((command_answer(run, envelope.id, now=now),))
    await send_commands(snapshot, dispatched, cause=cause)
    await _check_end(run_id)


async def _check_end(run_id: str) -> None:
    """Have the end of a reopened run looked for, even if nothing of it is left."""
    run = await read_run(run_id)
    if run.status == "running" and run.failing:
        await arm_page_check(run_id, 0)


async def _dispatch_failed(
    snapshot: RunSnapshot, command: RetryRun, command_id: str, cause: str
) -> _Begun:
    """Put the next attempt of what failed, unless the command has been applied."""
    is_applied = False
    dispatched: dict[int, TaskRun] = {}
    left_to_rerun: list[str] = []
    # Those that a rerun made wait, which has not opened the run yet: it runs what needs them again.
    waiting: set[int] = set()
    for page in snapshot.plan.pages:
        facts = await ReadPage(command.run_id, page)
        waiting.update(index for index, fact in facts.items() if fact.rank == Rank.WAITING)
        # After the page: what another delivery of this command put, and what has failed again
        # since, is not put once more.
        run = await read_run(command.run_id)
        is_applied = command_id in run.commands
        for index, stored in sorted(facts.items()):
            fact = stored
            task = snapshot.plan.tasks[index]
            is_free = waiting.isdisjoint(task.awaits)
            if _is_asked_for(task, command) and not is_applied:
                if is_free and may_retry(fact):
                    fact = await put_next_attempt(snapshot, index, fact, cause=cause)
                elif index in waiting or may_retry(fact):
                    left_to_rerun.append(task.name)
            if _may_leave(fact, cause):
                dispatched[index] = fact
    return _Begun(dispatched, is_applied, left_to_rerun)


def _may_leave(fact: TaskRun, cause: str) -> bool:
    """Return whether the command of this attempt is sent by this input."""
    return is_own(fact, cause) and fact.rank != Rank.CANCELLED


def _is_asked_for(task: PlannedTask, command: RetryRun) -> bool:
    return not task.is_join and (not command.from_ or task.name in command.from_)


def _too_many_commands(run: Run) -> Problem:
    text = f"run {run.id} has had {COMMANDS_PER_RUN_MAX:,} commands, and more are not kept"
    return Problem(code="too_many_commands", message=f"{text}: invoke {run.task!r} again")


async def _refuse_cancelled(envelope: Envelope, snapshot: RunSnapshot, *, cause: str) -> None:
    """Refuse a retry of a cancelled run, and cancel what an earlier delivery of it may have put."""
    await cancel_live(snapshot, snapshot.plan.pages, cause=cause)
    run = snapshot.run
    await refuse(envelope, run.task, [run_cancelled(run.task)])
