"""Own attempts: what an input dispatched in an earlier delivery whose command may not have left.

An input that is delivered again cannot know whether its first delivery crashed before or after its
commands left, so it sends them again; a server runs an attempt once. That delivery may come late,
because a queue gives a message back after minutes. If less than half of the clock is left, the
server might refuse the command, so the clock starts again. One that has run out already, because no
command left, is healed by the answer to the command, like any expiry (docs/rules.md, rule 2).

Invariant: the attempt and its rank stay. What has expired is sent again only before its `start_by`,
and not if a retry follows.
"""

from dataclasses import replace

from cerebro.core.effects import Now, ReadPage
from cerebro.core.model.plan import PlannedTask
from cerebro.core.model.run import RunSnapshot
from cerebro.core.model.task_run import Rank, TaskRun
from cerebro.core.run.run_access import write_task


def is_own(fact: TaskRun, cause: str) -> bool:
    """Return whether this input dispatched the attempt, and no update of it has arrived."""
    if fact.rank == Rank.ACK_TIMEOUT:
        # If a retry follows, the command leaves with that.
        return fact.dispatched_by == cause and fact.failed_permanently
    return fact.cause == cause and fact.rank in (Rank.PENDING, Rank.CANCELLED)


async def has_begun(snapshot: RunSnapshot, cause: str) -> bool:
    """Return whether an earlier delivery of this input has written a fact that is there still."""
    for page in snapshot.plan.pages:
        facts = await ReadPage(snapshot.run.id, page)
        if any(fact.cause == cause for fact in facts.values()):
            return True
    return False


def is_late(task: PlannedTask, fact: TaskRun, now: float) -> bool:
    """Return whether less than half of the first clock is left for the server to answer in."""
    return now > fact.dispatched_at + task.ack_timeout_s / 2


async def with_running_clock(
    snapshot: RunSnapshot, index: int, fact: TaskRun, *, cause: str
) -> TaskRun | None:
    """Return the fact whose command may leave now; its clock starts again if that is late.

    None: it has moved since, or it is too late for its server to begin. What another input
    dispatched is left as it is: an engine that has started sends it with a new clock.
    """
    if not is_own(fact, cause):
        return fact
    task = snapshot.plan.tasks[index]
    while fact.rank in (Rank.PENDING, Rank.ACK_TIMEOUT) and is_own(fact, cause):
        now = await Now()
        if fact.rank == Rank.PENDING and not is_late(task, fact, now):
            return fact
        if fact.rank == Rank.ACK_TIMEOUT and now > _start_by(task, fact):
            return None
        new = _with_new_clock(task, fact, now=now)
        conflicting = await write_task(snapshot.run.id, index, new, fact)
        if conflicting is None:
            return new
        fact = conflicting
    return fact if is_own(fact, cause) else None


def _start_by(task: PlannedTask, fact: TaskRun) -> float:
    return fact.dispatched_at + task.ack_timeout_s + task.start_timeout_s


def _with_new_clock(task: PlannedTask, fact: TaskRun, *, now: float) -> TaskRun:
    deadline = now + task.ack_timeout_s if fact.rank == Rank.PENDING else None
    return replace(fact, dispatched_at=now, deadline=deadline, rev=fact.rev + 1)
