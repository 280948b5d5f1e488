"""Rerun: RetryRun with `downstream` makes completed tasks run again, and everything that used them.

It works on a run that has ended, in three steps:

    1. `reruns` of the run steps, so that a handler which is about to complete the run looks whether
       its target is still completed. That write also decides that the run was over.
    2. The named tasks and all downstream of them get a fact of the next attempt that is WAITING,
       upstream first. That holds also for a task that never ran: a handler that read its upstreams
       before this step cannot dispatch it any more, because its put finds a fact. One that waits
       already is written once more, for the same reason.
    3. The run is opened, with the id of the command, and the named tasks are dispatched.

By itself, nothing of the run is dispatched before step 3, because it is over. A WAITING fact is
dispatched only after its upstreams have been read again. Since upstream facts are written first, a
reader that sees a task wait sees its upstreams wait, too.

Another command or a heal may dispatch a task between the write of its upstream and its own: it read
the upstream before. No order of writes excludes that. Such an attempt is overtaken: step 2 reaches
its task and begins the next one. Its command does not leave once its upstream is seen to wait.

Invariant: every attempt that a rerun begins is given results of attempts that are not older
(docs/rules.md, rule 7).
"""

from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from cerebro.core.effects import Now, Publish, ReadPage, WriteTask
from cerebro.core.messages import run_state_changed
from cerebro.core.model.plan import Plan, page_of
from cerebro.core.model.run import Run, RunSnapshot
from cerebro.core.model.task_run import TaskRun
from cerebro.core.run.fan_out import dispatch_ready
from cerebro.core.run.new_facts import wait_again
from cerebro.core.run.own_attempts import has_begun
from cerebro.core.run.run_access import read_run, write_run
from cerebro.core.run.transitions import may_rerun
from cordyna_core.contract.base import Problem
from cordyna_core.contract.commands import RetryRun

_NO_TASKS: Final = Problem(
    code="downstream_without_from",
    message="`downstream` needs `from`: name the tasks that are to run again",
)


def _rerun_problem(command: RetryRun, snapshot: RunSnapshot, run: Run) -> Problem | None:
    """Return why this run cannot be rerun; None: it can."""
    if not command.from_:
        return _NO_TASKS
    if run.status == "running":
        text = f"run {run.id} has not ended: wait for its end (`dyna watch {run.id}`), then retry"
        return Problem(code="run_not_over", message=text)
    reused = [name for name in command.from_ if _reuses(snapshot, name)]
    if reused:
        names = ", ".join(map(repr, reused))
        text = (
            f"run {run.id} reused the results of {names} and has no plan to run them: "
            f"invoke {run.task!r} again, with a new key"
        )
        return Problem(code="result_was_reused", message=text, path=reused)
    return None


def _reuses(snapshot: RunSnapshot, name: str) -> bool:
    plan = snapshot.plan
    return plan.tasks[plan.index_of[name]].reuses is not None


async def rerun(
    snapshot: RunSnapshot, command: RetryRun, command_id: str, *, cause: str
) -> Run | Problem:
    """Rerun the tasks of `command.from_` and all downstream of them; does nothing when repeated.

    Returns the run as it is then, or why it cannot be rerun; a cancelled one is left as it is.
    """
    begun = await _step_reruns(snapshot, command, command_id, cause=cause)
    if isinstance(begun, Problem):
        return begun
    plan, run = snapshot.plan, begun
    named = sorted(plan.index_of[name] for name in command.from_)
    if command_id not in run.commands:
        await _let_wait(snapshot, tasks_of_rerun(plan, named), command_id, cause=cause)
        run = await _open(run, command_id, cause=cause)
    # Also in a run that has ended in error, perhaps because an earlier delivery sent nothing.
    while named and run.status in ("running", "error"):
        # No message of its own could name what is left: the command is bounded by its size.
        named = list((await dispatch_ready(snapshot, named, cause=cause, known={})).rest)
    return run


async def _step_reruns(
    snapshot: RunSnapshot, command: RetryRun, command_id: str, *, cause: str
) -> Run | Problem:
    """Step `reruns`, unless the run was cancelled or another delivery applied the command.

    Returns the run as it is then, or why it cannot be rerun. What an earlier delivery began is
    finished, even if another command opened the run meanwhile.
    """
    run = await read_run(snapshot.run.id)
    while run.status != "cancelled" and command_id not in run.commands:
        problem = _rerun_problem(command, snapshot, run)
        if problem is not None and not await has_begun(snapshot, cause):
            return problem
        new = replace(run, reruns=run.reruns + 1, cause=cause, version=run.version + 1)
        conflicting = await write_run(new, run)
        if conflicting is None:
            return new
        run = conflicting
    return run


def tasks_of_rerun(plan: Plan, named: Iterable[int]) -> list[int]:
    """Return the named tasks and everything downstream, joins included, upstream first."""
    reached = set(named)
    pending = list(reached)
    while pending:
        for index in plan.downstream[pending.pop()]:
            if index not in reached:
                reached.add(index)
                pending.append(index)
    return sorted(reached)


async def _let_wait(
    snapshot: RunSnapshot, indexes: list[int], command_id: str, *, cause: str
) -> None:
    page: int | None = None
    facts: dict[int, TaskRun] = {}
    is_applied = has_written = False
    for index in indexes:
        if page_of(index) != page:
            page = page_of(index)
            facts = dict(await ReadPage(snapshot.run.id, page))
            # After the page: what another delivery of this command finished is left alone.
            run = await read_run(snapshot.run.id)
            is_applied = command_id in run.commands
        if is_applied:
            return
        fact = facts.get(index)
        if not has_written and fact is not None and fact.is_waiting and fact.cause == cause:
            # An earlier delivery wrote it after its upstreams: each continues where that one ended.
            continue
        while may_rerun(fact):
            now = await Now()
            new = wait_again(fact, cause=cause, now=now)
            # Not by `write_task`: an equal fact may have been written before its upstream waited.
            conflicting = await WriteTask(snapshot.run.id, index, new, fact)
            if conflicting is None:
                has_written = True
                break
            fact = conflicting
            if await _is_applied(snapshot, command_id):
                return


async def _is_applied(snapshot: RunSnapshot, command_id: str) -> bool:
    run = await read_run(snapshot.run.id)
    return command_id in run.commands


async def _open(run: Run, command_id: str, *, cause: str) -> Run:
    """Set the run running with the command's id; a cancelled one is left as it is."""
    while run.status != "cancelled" and command_id not in run.commands:
        new = replace(
            run,
            status="running",
            rev=run.rev + 1,
            cause=cause,
            version=run.version + 1,
            commands=(*run.commands, command_id),
        )
        conflicting = await write_run(new, run)
        if conflicting is None:
            now = await Now()
            await Publish((run_state_changed(new, "running", cause=cause, now=now),))
            return new
        run = conflicting
    return run
