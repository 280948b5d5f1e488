"""Recover: what an engine does with a run whose task servers died with the engine before it.

Law: the attempt goes on. Its command is delivered again, its clock starts anew, and no ring comes before that: that the
process was away is nobody's failure.
"""

from dataclasses import replace

from cerebro.core.dispatch import send_again
from cerebro.core.effects import Now, Program, ReadPage, ReadPinned, Ring, SendRing, WriteTask
from cerebro.core.model import Pinned, PlannedTask, Rank, TaskRun


def recover(run_id: str) -> Program:
    """Deliver the commands of all live attempts again, then have every page looked at."""
    pinned: Pinned | None = yield ReadPinned(run_id)
    if pinned is None:
        return
    again: dict[int, TaskRun] = {}
    for page in pinned.plan.pages:
        facts: dict[int, TaskRun] = yield ReadPage(run_id, page)
        for index, fact in facts.items():
            if not fact.is_live or fact.waits_for_retry:
                continue
            now = yield Now()
            restarted = replace(fact, dispatched_at=now, deadline=now + _clock_s(pinned.plan.tasks[index], fact), rev=fact.rev + 1)
            if (yield WriteTask(run_id, index, restarted, fact)) is None:
                again[index] = restarted
    yield from send_again(pinned, dict(sorted(again.items())))
    now = yield Now()
    for page in pinned.plan.pages:
        yield SendRing(Ring(run_id, page, now))


def _clock_s(task: PlannedTask, fact: TaskRun) -> int:
    return {Rank.PENDING: task.ack_timeout_s, Rank.QUEUED: task.start_timeout_s, Rank.STARTED: task.run_timeout_s}[fact.rank]
