"""Look: what a page's guardian does when its ring comes.

Law: a ring that comes early is sent again and does nothing else. Otherwise the guardian expires what is overdue, sends
what waits for its retry, does the effects of what completed or failed for good again (the repair of a lost wake-up),
looks for the end of a failing run, and arms the next ring.
"""

from cerebro.core.effects import (
    FanOut,
    NoteMissedAck,
    Now,
    PageTimer,
    Publish,
    ReadPage,
    ReadRun,
    SendFanOut,
    SendPageTimer,
)
from cerebro.core.messages import cerebro_state_changes
from cerebro.core.model import Rank, Run, RunSnapshot, TaskRun, indexes_of, page_of
from cerebro.core.run.cancellation import cancel_live
from cerebro.core.run.dispatch import (
    FAN_OUT_WIDTH,
    arm_page_timer,
    dispatch_again,
    dispatch_ready,
    send_again,
)
from cerebro.core.run.run_access import read_run, read_snapshot, write_task
from cerebro.core.run.run_status import end_if_idle, end_run, mark_failing, reopen_run
from cerebro.core.run.transitions import expire


async def on_page_timer(timer: PageTimer, *, repair: bool = True) -> None:
    """Answer a ring. `repair` off: for tests, since the repair hides the faults that it mends."""
    run = await ReadRun(timer.run_id)
    if run is None:
        return
    if run.is_over and not (await _reopens_run(run, timer)):
        return
    now = await Now()
    if now < timer.due:
        await SendPageTimer(timer)
        return
    snapshot = await read_snapshot(timer.run_id)
    facts: dict[int, TaskRun] = dict(await ReadPage(timer.run_id, timer.page))
    for index, fact in sorted(facts.items()):
        facts[index] = await _in_time(snapshot, index, fact, cause=timer.id)
    failed = [index for index, fact in facts.items() if fact.failed_for_good]
    if failed:
        await mark_failing(snapshot, failed[0], facts[failed[0]], cause=timer.id)
    if repair:
        await _repair(snapshot, timer, facts)
    if failed or run.failing:
        await end_if_idle(snapshot, cause=timer.id)
    open_deadlines = [fact.deadline for fact in facts.values() if fact.deadline is not None]
    if open_deadlines:
        run = await read_run(timer.run_id)
        if run.status in ("running", "error"):
            await arm_page_timer(timer.run_id, timer.page, min(open_deadlines))


async def _reopens_run(run: Run, timer: PageTimer) -> bool:
    """The run is over: say again what this very ring decided before, and perhaps did not come to say.

    Whether the run goes on after all: something may have been dispatched while a heal was on its way, and would not be guarded.
    """
    snapshot = await read_snapshot(timer.run_id)
    facts = await ReadPage(timer.run_id, timer.page)
    if run.status == "error" and any(fact.is_live for fact in facts.values()):
        await reopen_run(timer.run_id, cause=timer.id)
        return True
    if run.status == "cancelled":
        # This ring may have dispatched something, here or downstream, and not come to see that the run was cancelled.
        downstream = (
            page_of(down)
            for index, fact in facts.items()
            if fact.is_completed
            for down in snapshot.plan.downstream[index]
        )
        await cancel_live(snapshot, {timer.page, *downstream}, cause=timer.id)
    now = await Now()
    for index, fact in sorted(facts.items()):
        if fact.cause == timer.id and fact.rank == Rank.ERROR:
            await Publish(cerebro_state_changes(snapshot, index, fact, cause=timer.id, now=now))
    if run.cause == timer.id:
        await end_if_idle(snapshot, cause=timer.id)
    return False


async def _in_time(snapshot: RunSnapshot, index: int, fact: TaskRun, *, cause: str) -> TaskRun:
    """Expire or retry what is overdue; say again what this very ring decided before. Returns the fact as it is then."""
    now = await Now()
    if fact.deadline is not None and fact.deadline <= now:
        if fact.waits_for_retry:
            return await dispatch_again(snapshot, index, fact, cause=cause)
        new = expire(fact, cause=cause, now=now)
        there = await write_task(snapshot.run.id, index, new, fact)
        if there is not None:
            return there  # It moved while we looked, and whoever moved it guards it.
        if new.reason == "ack_timeout":
            await NoteMissedAck(snapshot.plan.tasks[index].server, now)
        fact = new
    if fact.cause == cause:
        if fact.rank == Rank.PENDING:
            await send_again(snapshot, {index: fact})
        elif fact.rank == Rank.ERROR:
            await Publish(cerebro_state_changes(snapshot, index, fact, cause=cause, now=now))
    return fact


async def _repair(snapshot: RunSnapshot, timer: PageTimer, facts: dict[int, TaskRun]) -> None:
    plan = snapshot.plan
    completed = {index: fact for index, fact in facts.items() if fact.is_completed}
    if plan.target in completed:
        await end_run(timer.run_id, "completed", cause=timer.id)
        return
    candidates = {
        index for index in indexes_of(timer.page, plan.size) if not plan.tasks[index].awaits
    }
    for index in completed:
        downstream = plan.downstream[index]
        if len(downstream) > FAN_OUT_WIDTH:
            await SendFanOut(FanOut(timer.run_id, index, 0, timer.id, repair=True))
        else:
            candidates.update(downstream)
    absent = sorted(candidates.difference(facts))
    for start in range(0, len(absent), FAN_OUT_WIDTH):
        await dispatch_ready(
            snapshot,
            absent[start : start + FAN_OUT_WIDTH],
            cause=timer.id,
            known=completed,
            repair=True,
        )
