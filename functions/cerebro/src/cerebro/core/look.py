"""Look: what a page's guardian does when its ring comes.

Law: a ring that comes early is sent again and does nothing else. Otherwise the guardian expires what is overdue, sends
what waits for its retry, does the effects of what completed or failed for good again (the repair of a lost wake-up),
looks for the end of a failing run, and arms the next ring.
"""

from cerebro.core.cancel import cancel_live
from cerebro.core.dispatch import WALK_WIDTH, arm, dispatch_again, dispatch_ready, send_again
from cerebro.core.effects import NoteMissed, Now, Program, Publish, ReadPage, ReadPinned, ReadRun, Ring, SendRing, SendWalk, Steps, Walk
from cerebro.core.ending import end, end_if_dead, heal, mark_failing
from cerebro.core.hear import write_task
from cerebro.core.model import Pinned, Rank, Run, TaskRun, indexes_of, page_of
from cerebro.core.say import decided
from cerebro.core.track import expired


def ring(ring: Ring, *, repair: bool = True) -> Program:
    """Answer a ring. `repair` off: for tests, since the repair hides the faults that it mends."""
    run: Run | None = yield ReadRun(ring.run_id)
    if run is None:
        return
    if run.is_over and not (yield from _comes_alive(run, ring)):
        return
    now = yield Now()
    if now < ring.due:
        yield SendRing(ring)
        return
    pinned: Pinned = yield ReadPinned(ring.run_id)
    facts: dict[int, TaskRun] = dict((yield ReadPage(ring.run_id, ring.page)))
    for index, fact in sorted(facts.items()):
        facts[index] = yield from _in_time(pinned, index, fact, cause=ring.id)
    failed = [index for index, fact in facts.items() if fact.failed_for_good]
    if failed:
        yield from mark_failing(pinned, failed[0], facts[failed[0]], cause=ring.id)
    if repair:
        yield from _repair(pinned, ring, facts)
    if failed or run.failing:
        yield from end_if_dead(pinned, cause=ring.id)
    open_deadlines = [fact.deadline for fact in facts.values() if fact.deadline is not None]
    if open_deadlines:
        run = yield ReadRun(ring.run_id)
        if run.status in ("running", "error"):
            yield from arm(ring.run_id, ring.page, min(open_deadlines))


def _comes_alive(run: Run, ring: Ring) -> Steps[bool]:
    """The run is over: say again what this very ring decided before, and perhaps did not come to say.

    Whether the run goes on after all: something may have been dispatched while a heal was on its way, and would not be guarded.
    """
    pinned: Pinned = yield ReadPinned(ring.run_id)
    facts: dict[int, TaskRun] = yield ReadPage(ring.run_id, ring.page)
    if run.status == "error" and any(fact.is_live for fact in facts.values()):
        yield from heal(ring.run_id, cause=ring.id)
        return True
    if run.status == "cancelled":
        # This ring may have dispatched something, here or downstream, and not come to see that the run was cancelled.
        downstream = (page_of(down) for index, fact in facts.items() if fact.is_completed for down in pinned.plan.downstream[index])
        yield from cancel_live(pinned, {ring.page, *downstream}, cause=ring.id)
    now = yield Now()
    for index, fact in sorted(facts.items()):
        if fact.cause == ring.id and fact.rank == Rank.ERROR:
            yield Publish(decided(pinned, index, fact, cause=ring.id, now=now))
    if run.cause == ring.id:
        yield from end_if_dead(pinned, cause=ring.id)
    return False


def _in_time(pinned: Pinned, index: int, fact: TaskRun, *, cause: str) -> Steps[TaskRun]:
    """Expire or retry what is overdue; say again what this very ring decided before. Returns the fact as it is then."""
    now = yield Now()
    if fact.deadline is not None and fact.deadline <= now:
        if fact.waits_for_retry:
            return (yield from dispatch_again(pinned, index, fact, cause=cause))
        new = expired(fact, cause=cause, now=now)
        there = yield from write_task(pinned.run.id, index, new, fact)
        if there is not None:
            return there  # It moved while we looked, and whoever moved it guards it.
        if new.reason == "ack_timeout":
            yield NoteMissed(pinned.plan.tasks[index].server, now)
        fact = new
    if fact.cause == cause:
        if fact.rank == Rank.PENDING:
            yield from send_again(pinned, {index: fact})
        elif fact.rank == Rank.ERROR:
            yield Publish(decided(pinned, index, fact, cause=cause, now=now))
    return fact


def _repair(pinned: Pinned, ring: Ring, facts: dict[int, TaskRun]) -> Program:
    plan = pinned.plan
    completed = {index: fact for index, fact in facts.items() if fact.is_completed}
    if plan.target in completed:
        yield from end(ring.run_id, "completed", cause=ring.id)
        return
    candidates = {index for index in indexes_of(ring.page, plan.size) if not plan.tasks[index].awaits}
    for index in completed:
        downstream = plan.downstream[index]
        if len(downstream) > WALK_WIDTH:
            yield SendWalk(Walk(ring.run_id, index, 0, ring.id, repair=True))
        else:
            candidates.update(downstream)
    absent = sorted(candidates.difference(facts))
    for start in range(0, len(absent), WALK_WIDTH):
        yield from dispatch_ready(pinned, absent[start : start + WALK_WIDTH], cause=ring.id, known=completed, repair=True)
