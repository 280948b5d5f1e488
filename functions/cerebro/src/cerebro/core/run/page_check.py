"""Page check: what happens when the timer of a page fires.

Theory of operation. Each page of a live run has one timer, due at the page's earliest deadline
(see page_timers.py). A timer is a hint: it carries no decision, it is never cancelled, and a stale
one finds nothing to do. When one fires, in this order:

    too early         it is sent again and does nothing else; clocks differ. This holds in a run
                      that has ended, too, unless it was cancelled: an update or a rerun may open
                      it and count on this timer, because it is recorded.
    run over          completed: nothing. Cancelled: what is live is cancelled. Error: nothing,
                      unless something on the page is live; then the run is reopened, because the
                      handler that revived it may have crashed before it reopened the run. What an
                      earlier delivery of this timer dispatched and never sent is sent.
    overdue           one OverdueCheck goes into the tracker's queue. The timer itself expires
                      nothing and retries nothing: the updates that prove that a server answered in
                      time may wait in that queue, and cerebro's own delay must not count against
                      the server. See overdue_check.py.
    failed            the run is marked as failing, if the handler of the failure crashed before.
    completed         what could be dispatched but was not is dispatched: the repair of a wake-up
                      that was lost in a crash. See repair.py.
    failing           the run is ended if nothing is alive.
    next deadline     a timer is armed for the earliest deadline after this check, at least a second
                      from now. What was handed over as overdue is not armed again.

A page check is therefore also the safety net of every other handler: whatever crashed after writing
its fact is found here, at the latest at the fact's deadline.

Invariant: every live attempt has a timer under way that is due by its deadline (or shortly after
now, if that has passed), or an OverdueCheck, or the input that wrote it is still unacknowledged
(docs/rules.md, rule 17).
"""

from typing import Final

from cerebro.core.effects import (
    Now,
    ReadPage,
    ReadRun,
    ReadTasks,
    SendOverdueCheck,
    SendPageTimer,
)
from cerebro.core.internal_messages import OverdueCheck, PageTimer
from cerebro.core.model.plan import page_of
from cerebro.core.model.run import Run, RunSnapshot
from cerebro.core.model.task_run import TaskRun
from cerebro.core.run.cancellation import cancel_live
from cerebro.core.run.command_groups import send_commands
from cerebro.core.run.fan_out import FACTS_PER_READ, is_wide
from cerebro.core.run.own_attempts import is_own
from cerebro.core.run.page_timers import arm_page_timer
from cerebro.core.run.repair import candidates_of, repair_page
from cerebro.core.run.run_access import read_run, read_snapshot
from cerebro.core.run.run_status import end_if_idle, end_run, mark_failing, reopen_run

NEXT_TIMER_AFTER_S: Final = 1.0
"""A check arms no timer sooner than this after itself."""


async def on_page_timer(timer: PageTimer, *, repair: bool = True) -> None:
    """Answer a page timer.

    `repair` off: for tests, because the repair hides the faults that it fixes.
    """
    # Before the run is read: who opens it later finds this timer due, and does not count on it.
    asked_at = await Now()
    run = await ReadRun(timer.run_id)
    if run is None:
        return
    if run.status == "completed":
        if timer.is_shared and asked_at < timer.due:
            await SendPageTimer(timer)
        if run.cause == timer.id:
            await end_run(await read_snapshot(timer.run_id), "completed", cause=timer.id)
        return
    if run.status == "cancelled":
        await _cancel_around(timer)
        return
    if asked_at < timer.due:
        await SendPageTimer(timer)
        return
    snapshot = await read_snapshot(timer.run_id)
    facts = await ReadPage(timer.run_id, timer.page)
    if run.status == "running" or await _reopen_if_live(run, snapshot, timer, facts):
        await _check(run, snapshot, timer, facts, asked_at=asked_at, repair=repair)


async def _reopen_if_live(
    run: Run, snapshot: RunSnapshot, timer: PageTimer, facts: dict[int, TaskRun]
) -> bool:
    """Reopen a run that ended in error if something on the page is live. Returns whether it is."""
    if any(fact.is_live for fact in facts.values()):
        await reopen_run(timer.run_id, cause=timer.id)
        return True
    if run.cause == timer.id:
        # An earlier delivery of this timer ended it, and may have crashed before it published that.
        await end_if_idle(snapshot, cause=timer.id)
    await _send_own(snapshot, timer, facts)
    return False


async def _send_own(snapshot: RunSnapshot, timer: PageTimer, facts: dict[int, TaskRun]) -> None:
    """Send what an earlier delivery of this timer dispatched, and what expired because it crashed.

    The run has ended in error since.
    """
    plan, seen = snapshot.plan, set(facts)
    own = {index: fact for index, fact in facts.items() if is_own(fact, timer.id)}
    candidates = candidates_of(plan, timer.page, facts)
    while elsewhere := [i for i in candidates if i not in seen and page_of(i) != timer.page]:
        seen.update(elsewhere)
        joins: list[int] = []
        for start in range(0, len(elsewhere), FACTS_PER_READ):
            part = tuple(elsewhere[start : start + FACTS_PER_READ])
            found = await ReadTasks(timer.run_id, part)
            own |= {index: fact for index, fact in found.items() if is_own(fact, timer.id)}
            # It continued through the joins that it completed on other pages.
            joins += [
                index
                for index, fact in found.items()
                if fact.is_completed and fact.cause == timer.id and not is_wide(plan, index)
            ]
        candidates = sorted({user for join in joins for user in plan.downstream[join]})
    if own:
        await send_commands(snapshot, own, cause=timer.id)


async def _check(
    run: Run,
    snapshot: RunSnapshot,
    timer: PageTimer,
    facts: dict[int, TaskRun],
    *,
    asked_at: float,
    repair: bool,
) -> None:
    deadlines = [fact.deadline for fact in facts.values() if fact.deadline is not None]
    if deadlines and min(deadlines) <= asked_at:
        check = OverdueCheck(timer.run_id, timer.page, asked_at, asked_at, due=timer.due)
        await SendOverdueCheck(check)
    failed = [index for index, fact in facts.items() if fact.failed_permanently]
    if failed:
        await mark_failing(snapshot, failed[0], facts[failed[0]], cause=timer.id)
    if repair:
        await repair_page(snapshot, timer.page, facts, cause=timer.id)
    if failed or run.failing:
        await end_if_idle(snapshot, cause=timer.id)
    await _arm_next(timer, [deadline for deadline in deadlines if deadline > asked_at], asked_at)


async def _arm_next(timer: PageTimer, deadlines: list[float], asked_at: float) -> None:
    if not deadlines:
        return
    run = await read_run(timer.run_id)
    if run.status in ("running", "error"):
        due = max(min(deadlines), asked_at + NEXT_TIMER_AFTER_S)
        await arm_page_timer(timer.run_id, timer.page, due)


async def _cancel_around(timer: PageTimer) -> None:
    """Cancel what is live on the page and downstream of it.

    An earlier delivery of this timer may have dispatched something there and crashed before it saw
    that the run was cancelled.
    """
    snapshot = await read_snapshot(timer.run_id)
    facts = await ReadPage(timer.run_id, timer.page)
    downstream = (
        page_of(index)
        for upstream, fact in facts.items()
        if fact.is_completed
        for index in snapshot.plan.downstream[upstream]
    )
    await cancel_live(snapshot, {timer.page, *downstream}, cause=timer.id)
