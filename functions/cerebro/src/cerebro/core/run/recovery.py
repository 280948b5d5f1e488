"""Recovery: what an engine does with the active runs of an engine that has ended.

Invariant: the attempt stays the same. Its command is delivered again and its clock restarts before
any page timer fires: downtime of the engine does not count against the attempt's deadlines.
"""

from dataclasses import replace

from cerebro.core.effects import Now, ReadPage, ReadRunSnapshot, SendPageTimer, WriteTask
from cerebro.core.internal_messages import PageTimer
from cerebro.core.model.plan import PlannedTask
from cerebro.core.model.run import RunSnapshot
from cerebro.core.model.task_run import TaskRun
from cerebro.core.run.clocks import back_off_s, deadline_of
from cerebro.core.run.command_groups import send_commands


async def recover(run_id: str) -> None:
    """Deliver the commands of all live attempts again, then have every page checked."""
    snapshot = await ReadRunSnapshot(run_id)
    if snapshot is None:
        return
    restarted: dict[int, TaskRun] = {}
    for page in snapshot.plan.pages:
        facts = await ReadPage(run_id, page)
        for index, fact in facts.items():
            if fact.waits_for_retry:
                await _keep_pause(snapshot, index, fact)
            elif fact.is_live:
                now = await Now()
                new = _with_new_clock(snapshot.plan.tasks[index], fact, now=now)
                if (await WriteTask(run_id, index, new, fact)) is None:
                    restarted[index] = new
    await send_commands(snapshot, dict(sorted(restarted.items())), cause="recovery")
    now = await Now()
    for page in snapshot.plan.pages:
        await SendPageTimer(PageTimer(run_id, page, now))


async def _keep_pause(snapshot: RunSnapshot, index: int, fact: TaskRun) -> None:
    """Let a retry wait no longer than its pause: the clock may have been set back meanwhile."""
    run_id = snapshot.run.id
    ends_at = await Now() + back_off_s(snapshot.plan.tasks[index], fact.attempt, run_id=run_id)
    if fact.deadline is not None and fact.deadline > ends_at:
        await WriteTask(run_id, index, replace(fact, deadline=ends_at, rev=fact.rev + 1), fact)


def _with_new_clock(task: PlannedTask, fact: TaskRun, *, now: float) -> TaskRun:
    deadline = deadline_of(task, fact.rank, dispatched_at=now, now=now)
    return replace(fact, dispatched_at=now, deadline=deadline, rev=fact.rev + 1)
