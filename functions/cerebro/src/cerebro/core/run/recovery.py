"""Recover: what an engine does with a run whose task servers died with the engine before it.

Law: the attempt goes on. Its command is delivered again, its clock starts anew, and no ring comes before that: that the
process was away is nobody's failure.
"""

from dataclasses import replace
from typing import Final

from cerebro.core.effects import (
    Now,
    PageTimer,
    ReadPage,
    ReadRunSnapshot,
    SendPageTimer,
    WriteTask,
)
from cerebro.core.model import PlannedTask, Rank, TaskRun
from cerebro.core.run.dispatch import send_again
from cerebro.core.run.transitions import fail_after_engine_crashes

MOST_DEATHS: Final = 10
"""An attempt that was under way when that many engines died is what killed them, as far as anybody can tell."""


async def recover(run_id: str, *, died: bool = True) -> None:
    """Deliver the commands of all live attempts again, then have every page looked at.

    `died`: the engine before did not stop, but was killed, perhaps by one of these attempts.
    """
    snapshot = await ReadRunSnapshot(run_id)
    if snapshot is None:
        return
    again: dict[int, TaskRun] = {}
    for page in snapshot.plan.pages:
        facts = await ReadPage(run_id, page)
        for index, fact in facts.items():
            if not fact.is_live or fact.waits_for_retry:
                continue
            now = await Now()
            restarted = _restarted(
                snapshot.plan.tasks[index], fact, deaths=fact.deaths + died, now=now
            )
            if (await WriteTask(run_id, index, restarted, fact)) is None and restarted.is_live:
                again[index] = restarted
    await send_again(snapshot, dict(sorted(again.items())))
    now = await Now()
    for page in snapshot.plan.pages:
        await SendPageTimer(PageTimer(run_id, page, now))


def _restarted(task: PlannedTask, fact: TaskRun, *, deaths: int, now: float) -> TaskRun:
    if deaths >= MOST_DEATHS:
        return fail_after_engine_crashes(fact, deaths=deaths, now=now)
    return replace(
        fact,
        dispatched_at=now,
        deadline=now + _clock_s(task, fact),
        deaths=deaths,
        rev=fact.rev + 1,
    )


def _clock_s(task: PlannedTask, fact: TaskRun) -> int:
    return {
        Rank.PENDING: task.ack_timeout_s,
        Rank.QUEUED: task.start_timeout_s,
        Rank.STARTED: task.run_timeout_s,
    }[fact.rank]
