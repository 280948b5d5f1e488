"""Recover: what an engine does with a run whose task servers died with the engine before it.

Law: the attempt goes on. Its command is delivered again, its clock starts anew, and no ring comes before that: that the
process was away is nobody's failure.
"""

from dataclasses import replace
from typing import Final

from cerebro.core.dispatch import send_again
from cerebro.core.effects import Now, Program, ReadPage, ReadPinned, Ring, SendRing, WriteTask
from cerebro.core.model import Pinned, PlannedTask, Rank, TaskRun
from cerebro.core.track import lethal

MOST_DEATHS: Final = 10
"""An attempt that was under way when that many engines died is what killed them, as far as anybody can tell."""


def recover(run_id: str, *, died: bool = True) -> Program:
    """Deliver the commands of all live attempts again, then have every page looked at.

    `died`: the engine before did not stop, but was killed, perhaps by one of these attempts.
    """
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
            restarted = _restarted(pinned.plan.tasks[index], fact, deaths=fact.deaths + died, now=now)
            if (yield WriteTask(run_id, index, restarted, fact)) is None and restarted.is_live:
                again[index] = restarted
    yield from send_again(pinned, dict(sorted(again.items())))
    now = yield Now()
    for page in pinned.plan.pages:
        yield SendRing(Ring(run_id, page, now))


def _restarted(task: PlannedTask, fact: TaskRun, *, deaths: int, now: float) -> TaskRun:
    if deaths >= MOST_DEATHS:
        return lethal(fact, deaths=deaths, now=now)
    return replace(fact, dispatched_at=now, deadline=now + _clock_s(task, fact), deaths=deaths, rev=fact.rev + 1)


def _clock_s(task: PlannedTask, fact: TaskRun) -> int:
    return {Rank.PENDING: task.ack_timeout_s, Rank.QUEUED: task.start_timeout_s, Rank.STARTED: task.run_timeout_s}[fact.rank]
