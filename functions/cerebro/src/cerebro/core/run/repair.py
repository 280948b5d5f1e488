"""Repair: dispatches what the completions on a page make ready and no handler has dispatched.

A handler may crash when it has written a completion and nothing else. The timer of the page finds
what should have followed. What is downstream of one wide completion is repaired by messages of its
own; the rest is a part like any other (fan_out.py), and what that has no time for follows in a
message for this page.

Invariant: nothing that is ready stays behind when a timer of a page of its upstream was answered.
"""

from dataclasses import replace

from cerebro.core.effects import ReadPage, SendFanOut
from cerebro.core.internal_messages import FanOut
from cerebro.core.model.plan import Plan, indexes_of
from cerebro.core.model.run import RunSnapshot
from cerebro.core.model.task_run import TaskRun
from cerebro.core.run.fan_out import dispatch_ready, is_wide
from cerebro.core.run.own_attempts import is_own
from cerebro.core.run.run_status import end_run


async def repair_page(
    snapshot: RunSnapshot, page: int, facts: dict[int, TaskRun], *, cause: str
) -> None:
    """Dispatch what the completions on this page make ready and nothing has dispatched."""
    plan, run_id = snapshot.plan, snapshot.run.id
    for index, fact in facts.items():
        if fact.is_completed and is_wide(plan, index) and index != plan.target:
            await SendFanOut(FanOut(run_id, index, 0, cause, repair=True))
    await _repair(snapshot, facts, FanOut(run_id, None, 0, cause, repair=True, page=page))


async def resume_repair(snapshot: RunSnapshot, message: FanOut) -> None:
    """Continue the repair of `message.page` with the task at `message.start`."""
    assert message.page is not None
    facts = await ReadPage(message.run_id, message.page)
    await _repair(snapshot, facts, message)


async def _repair(snapshot: RunSnapshot, facts: dict[int, TaskRun], message: FanOut) -> None:
    plan, page, cause = snapshot.plan, message.page, message.cause
    assert page is not None
    completed = {index: fact for index, fact in facts.items() if fact.is_completed}
    if plan.target in completed:
        await end_run(snapshot, "completed", cause=cause)
        return
    waiting = [
        index
        for index in candidates_of(plan, page, facts)
        if index >= message.start
        and (
            (fact := facts.get(index)) is None
            or fact.is_waiting
            # An earlier delivery may have crashed before its command left.
            or is_own(fact, cause)
        )
    ]
    # In one call: it sends once what is ready by itself and also follows a join of this page.
    dispatched = await dispatch_ready(snapshot, waiting, cause=cause, known=completed, repair=True)
    if dispatched.rest:
        await SendFanOut(replace(message, start=dispatched.rest[0]))


def candidates_of(plan: Plan, page: int, facts: dict[int, TaskRun]) -> list[int]:
    """Return the roots of a page and what is downstream of its completions.

    Without what is so wide that it is dispatched by messages of its own.
    """
    candidates = {index for index in indexes_of(page, plan.size) if not plan.tasks[index].awaits}
    for index, fact in facts.items():
        if fact.is_completed and not is_wide(plan, index):
            candidates.update(plan.downstream[index])
    return sorted(candidates)
