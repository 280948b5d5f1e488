"""Invariants: what holds after every step of every history, whatever goes wrong.

Each is a function of plain data that returns what is broken, in words, or None. It is given what
was stored before and what is stored now, so that checking after every step stays cheap.

Invariant: none of them looks at how a program came to its decision.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from cerebro.core.model.plan import Plan, PlannedTask, indexes_of
from cerebro.core.model.run import Run, RunSnapshot
from cerebro.core.model.task_run import (
    FAILED_RANKS,
    Rank,
    TaskRun,
    TimelineEntry,
    all_completed,
    lattice,
)
from cerebro.core.run.page_timers import PAGE_CHECK_DELAY_S
from cerebro.core.run.run_status import run_liveness
from cerebro.core.run.transitions import EXPIRY_REASON, TRANSITIONS, Input
from cordyna_core.contract.ids import CEREBRO, server_source

Facts = Mapping[int, TaskRun]

_LIVE_RANKS: Final = frozenset({Rank.PENDING, Rank.QUEUED, Rank.STARTED})
_RANK_OF_STATE: Final = {
    "queued": Rank.QUEUED,
    "started": Rank.STARTED,
    "completed": Rank.COMPLETED,
    "error": Rank.ERROR,
}
_RANK_OF_OWN_REASON: Final = {
    "cancelled": Rank.CANCELLED,
    **{reason: rank for rank, reason in EXPIRY_REASON.items()},
}
"""What cerebro's own reasons mean; a server may use the same words, and they mean an error."""


def of_task(
    snapshot: RunSnapshot,
    run: Run,
    facts: Facts,
    index: int,
    before: TaskRun | None,
    *,
    now: float,
    skew_s: float = 0.0,
    pending: Callable[[str], bool] = lambda _: False,
) -> str | None:
    """Check a task run that was just written.

    `facts` holds it as it is now, `before` is what was stored. `now` is the true time. `pending`
    tells whether the rerun of that id is unacknowledged: it may be about to overtake an attempt.
    """
    after, task = facts[index], snapshot.plan.tasks[index]
    return (
        _moves_up(task, before, after)
        or _dispatched_early(snapshot.plan, facts, index, before, pending)
        or _retried_wrongly(task, before, after, now=now, skew_s=skew_s)
        or _clocks_are_kept(task, before, after, now=now, skew_s=skew_s)
        or _timeline_leads_to_it(task, before, after)
        or (
            f"{task.name} was cancelled, but its run is {run.status}"
            if after.rank == Rank.CANCELLED and run.status != "cancelled"
            else None
        )
    )


def _moves_up(task: PlannedTask, before: TaskRun | None, after: TaskRun) -> str | None:
    was, is_now = lattice(before), lattice(after)
    if is_now < was:
        return f"{task.name} moved down the lattice, from {was} to {is_now}"
    if before is not None and before.rank == Rank.CANCELLED and is_now > was:
        return f"{task.name} was cancelled, and that is final, but it moved to {is_now}"
    if after.rev != (before.rev + 1 if before else 1):
        previous = before.rev if before else None
        return f"{task.name} was written as revision {after.rev} upon {previous}"
    may_begin = before is None or after.is_waiting or before.rank in FAILED_RANKS
    if is_now[0] > was[0] and not (is_now[0] == was[0] + 1 and may_begin):
        return f"{task.name}: attempt {is_now[0]} began after attempt {was[0]} of rank {was[1]}"
    return None


def _is_dispatched(before: TaskRun | None, after: TaskRun) -> bool:
    is_same = before is not None and after.attempt == before.attempt and not before.is_waiting
    return not (is_same or after.is_waiting)


def _dispatched_early(
    plan: Plan,
    facts: Facts,
    index: int,
    before: TaskRun | None,
    pending: Callable[[str], bool],
) -> str | None:
    """Check that the upstreams have completed, or that a rerun is just making them wait again."""
    task = plan.tasks[index]
    if not _is_dispatched(before, facts[index]) or all_completed(task.awaits, facts):
        return None
    lacking = [
        plan.tasks[up].name
        for up in task.awaits
        if not (
            (fact := facts.get(up))
            and (fact.is_completed or (fact.is_waiting and pending(fact.cause)))
        )
    ]
    return f"{task.name} was dispatched before {', '.join(lacking)} completed" if lacking else None


def _retried_wrongly(
    task: PlannedTask, before: TaskRun | None, after: TaskRun, *, now: float, skew_s: float
) -> str | None:
    if before is None or before.deadline is None or not _is_dispatched(before, after):
        return None
    if before.deadline > now + skew_s:
        return f"{task.name} was retried {before.deadline - now:.1f} s before its back-off ended"
    if after.attempt > before.attempts_allowed or after.attempts_allowed != before.attempts_allowed:
        return f"{task.name} was retried beyond its budget of {before.attempts_allowed} attempts"
    return None


def _clocks_are_kept(
    task: PlannedTask, before: TaskRun | None, after: TaskRun, *, now: float, skew_s: float
) -> str | None:
    if after.rank in _LIVE_RANKS and after.deadline is None:
        return f"{task.name} is live and has no deadline"
    if after.rank > Rank.ERROR and after.deadline is not None:
        return f"{task.name} is over and has a deadline"
    if before is not None and after.rank in EXPIRY_REASON and after.rank != before.rank:
        if before.deadline is None or before.deadline > now + skew_s:
            return f"{task.name} was expired before its deadline"
        if TRANSITIONS[before.rank, Input.DEADLINE] is not after.rank:
            return f"{task.name} was expired by the wrong clock: {after.reason}"
    return None


def _timeline_leads_to_it(task: PlannedTask, before: TaskRun | None, after: TaskRun) -> str | None:
    known = before.timeline if before else ()
    added = after.timeline[len(known) :]
    if after.timeline[: len(known)] != known:
        return f"{task.name}'s timeline was rewritten"
    if replayed(added, lattice(before)) != lattice(after):
        return f"{task.name}'s timeline does not lead to {lattice(after)}"
    speakers = (CEREBRO, server_source(task.server))
    for entry in added:
        if entry.by not in speakers:
            return f"{task.name}: {entry.by} was believed, but it runs on {task.server}"
        if entry.attempt > after.attempt:
            return f"{task.name}: attempt {entry.attempt} was believed, but never sent"
    return None


def replayed(
    timeline: Sequence[TimelineEntry], position: tuple[int, int] = (0, -1)
) -> tuple[int, int]:
    """Return the position (attempt, rank) to which a timeline leads from `position`."""
    attempt, rank = position
    for entry in timeline:
        if entry.reason in {"late", "retry_wait"}:
            continue
        own = _RANK_OF_OWN_REASON.get(entry.reason or "") if entry.by == CEREBRO else None
        if own is not None:
            attempt, rank = entry.attempt, own
        elif entry.state == "pending":
            is_waiting = entry.reason == "waiting"
            attempt, rank = entry.attempt, Rank.WAITING if is_waiting else Rank.PENDING
        else:
            attempt, rank = entry.attempt, _RANK_OF_STATE[entry.state]
    return attempt, rank


def of_run(plan: Plan, facts: Facts, before: Run | None, after: Run) -> str | None:
    """Check a run that was just written."""
    if before is not None:
        if after.version != before.version + 1 or after.rev < before.rev:
            return (
                f"the run was written as version {after.version}, rev {after.rev}, "
                f"upon {before.version}, {before.rev}"
            )
        is_rerun = before.status == "completed" and len(after.commands) > len(before.commands)
        is_final = before.status in ("completed", "cancelled") and not is_rerun
        if is_final and after.status != before.status:
            return f"the run was {before.status}, and that is final, but it is {after.status} now"
        if after.commands[: len(before.commands)] != before.commands:
            return "the run forgot a command that was applied"
    completes = after.status == "completed" and (before is None or before.status != "completed")
    if completes and not ((fact := facts.get(plan.target)) and fact.is_completed):
        return "the run completed without its target"
    if len(set(after.commands)) < len(after.commands):
        return "a command was applied twice"
    return None


def alive_though_over(
    snapshot: RunSnapshot, run: Run, facts: Facts, pending: Callable[[str], bool]
) -> str | None:
    """Check that nothing is live in a run that has ended, and that its target is not completed.

    What an input wrote that is still being handled does not count: `pending` tells whether the
    input of that id (a fact's `cause`) is unacknowledged. While a completion is being handled, its
    downstream may be dispatched before the run is healed.
    """
    if run.status == "running" or pending(run.cause):
        return None
    if run.status == "error" and any(
        fact.is_completed and pending(fact.cause) for fact in facts.values()
    ):
        return None
    for index, fact in facts.items():
        if fact.is_live and not pending(fact.cause):
            return f"{snapshot.plan.tasks[index].name} is live, but the run is over ({run.status})"
    target = facts.get(snapshot.plan.target)
    if (
        run.status == "error"
        and target is not None
        and target.is_completed
        and not pending(target.cause)
    ):
        return "the run ended in error, but its target has completed"
    return None


def unguarded(
    snapshot: RunSnapshot,
    facts: Facts,
    page: int,
    timers: Sequence[float],
    checks: Sequence[float],
    pending: Callable[[str], bool],
    *,
    now: float,
    skew_s: float = 0.0,
) -> str | None:
    """Check that every live attempt of a page is guarded.

    That is: a timer is under way that is due by its deadline (or soon, if that has passed), or an
    overdue check that was asked for after it, or the input that wrote it is still unacknowledged.

    `timers` are the due times of the page's timers that were sent and not answered, `checks` the
    times at which its overdue checks under way were asked for.
    """
    first_timer = min(timers, default=float("inf"))
    soon = now + PAGE_CHECK_DELAY_S + 2 * skew_s
    last_check = max(checks, default=float("-inf"))
    for index in indexes_of(page, snapshot.plan.size):
        fact = facts.get(index)
        if (
            fact is not None
            and fact.deadline is not None
            and first_timer > max(fact.deadline, soon)
            and last_check < fact.deadline
            and not pending(fact.cause)
        ):
            return f"{snapshot.plan.tasks[index].name} is live and its deadline is not guarded"
    return None


def at_rest(snapshot: RunSnapshot, run: Run, facts: Facts) -> str | None:
    """Check a run when nothing is under way any more: it is over, and rightly so."""
    plan = snapshot.plan
    if run.status == "running":
        return "the run is stuck: nothing is under way, and it has not ended"
    for index, fact in facts.items():
        if fact.is_live:
            return f"{plan.tasks[index].name} is live for ever in a run that is over"
    return _rightly_in_error(plan, facts) if run.status == "error" else None


def _rightly_in_error(plan: Plan, facts: Facts) -> str | None:
    if all_completed([plan.target], facts):
        return "the run ended in error, but its target has completed"
    liveness = run_liveness(plan, facts)
    if liveness.is_alive:
        return "the run ended in error, but more of it could run"
    if not liveness.failed:
        return "the run ended in error, but nothing failed"
    if liveness.blocked != _blocked_by_reach(plan, facts):
        return "blocked is not what an upstream's failure reaches"
    return None


def _blocked_by_reach(plan: Plan, facts: Facts) -> frozenset[int]:
    """Return what failures reach downstream, computed in another way than `run_liveness` does."""
    reached: set[int] = set()
    frontier = [index for index, fact in facts.items() if fact.failed_permanently]
    while frontier:
        for index in plan.downstream[frontier.pop()]:
            fact = facts.get(index)
            if (fact is None or fact.is_waiting) and index not in reached:
                reached.add(index)
                frontier.append(index)
    return frozenset(reached)
