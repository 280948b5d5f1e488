"""Invariants: what holds after every step of every history, whatever goes wrong (section 9).

Law: each is a function of plain data that answers what is broken, in words, or None. They are told what was there before
and what is there now, so that looking after every step stays cheap; none of them looks at how it came about.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from cerebro.core.model import (
    Plan,
    PlannedTask,
    Rank,
    Run,
    RunSnapshot,
    TaskRun,
    TimelineEntry,
    all_completed,
    indexes_of,
    lattice,
)
from cerebro.core.run.run_status import run_liveness
from cerebro.core.run.transitions import EXPIRY_REASON
from cordyna_core.contract.ids import CEREBRO, server_source

Facts = Mapping[int, TaskRun]

_RANK_SAID: Final = {
    "queued": Rank.QUEUED,
    "started": Rank.STARTED,
    "completed": Rank.COMPLETED,
    "error": Rank.ERROR,
}
_EXPIRIES: Final = frozenset(EXPIRY_REASON.values())


def of_task(
    snapshot: RunSnapshot,
    run: Run,
    facts: Facts,
    index: int,
    before: TaskRun | None,
    *,
    now: float,
    skew_s: float = 0.0,
) -> str | None:
    """A task run was written: `facts` holds it as it is now, `before` is what was there. `now` is the true time."""
    after, task = facts[index], snapshot.plan.tasks[index]
    return (
        _moves_up(task, before, after)
        or _dispatched_rightly(snapshot.plan, facts, index, before, now=now, skew_s=skew_s)
        or _clocks_are_kept(task, before, after, now=now, skew_s=skew_s)
        or _timeline_tells_it(task, before, after)
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
        return f"{task.name} was cancelled, and that is final, but it went on to {is_now}"
    if after.rev != (before.rev + 1 if before else 1):
        return (
            f"{task.name} was written as revision {after.rev} upon {before.rev if before else None}"
        )
    if is_now[0] > was[0] and (
        is_now[0] != was[0] + 1 or (before is not None and before.rank != Rank.ERROR)
    ):
        return f"{task.name}: attempt {is_now[0]} began after attempt {was[0]} of rank {was[1]}"
    return None


def _dispatched_rightly(
    plan: Plan, facts: Facts, index: int, before: TaskRun | None, *, now: float, skew_s: float
) -> str | None:
    after, task = facts[index], plan.tasks[index]
    if before is not None and after.attempt == before.attempt:
        return None
    if not all_completed(task.awaits, facts):
        lacking = [
            plan.tasks[up].name
            for up in task.awaits
            if not ((fact := facts.get(up)) and fact.is_completed)
        ]
        return f"{task.name} was dispatched before {', '.join(lacking)} completed"
    if before is None or before.deadline is None:
        return None
    if before.deadline > now + skew_s:
        return (
            f"{task.name} was tried again {before.deadline - now:.1f} s before its back-off ended"
        )
    if after.attempt > before.attempts_allowed or after.attempts_allowed != before.attempts_allowed:
        return (
            f"{task.name} was tried again beyond its budget of {before.attempts_allowed} attempts"
        )
    return None


def _clocks_are_kept(
    task: PlannedTask, before: TaskRun | None, after: TaskRun, *, now: float, skew_s: float
) -> str | None:
    if after.rank < Rank.ERROR and after.deadline is None:
        return f"{task.name} is live and has no deadline"
    if after.rank > Rank.ERROR and after.deadline is not None:
        return f"{task.name} is over and has a deadline"
    if (
        before is not None
        and after.reason in _EXPIRIES
        and after.rank != before.rank
        and after.timeline[len(before.timeline)].by == CEREBRO
    ):
        if before.deadline is None or before.deadline > now + skew_s:
            return f"{task.name} was expired before its deadline"
        if after.reason != EXPIRY_REASON[before.rank]:
            return f"{task.name} was expired by the wrong clock: {after.reason}"
    return None


def _timeline_tells_it(task: PlannedTask, before: TaskRun | None, after: TaskRun) -> str | None:
    known = before.timeline if before else ()
    added = after.timeline[len(known) :]
    if after.timeline[: len(known)] != known:
        return f"{task.name}'s timeline was rewritten"
    if replayed(added, lattice(before)) != lattice(after):
        return f"{task.name}'s timeline does not lead to {lattice(after)}"
    speakers = (CEREBRO, server_source(task.server))
    for said in added:
        if said.by not in speakers:
            return f"{task.name}: {said.by} was believed, but it runs on {task.server}"
        if said.attempt > after.attempt:
            return f"{task.name}: attempt {said.attempt} was believed, but never sent"
    return None


def replayed(
    timeline: Sequence[TimelineEntry], place: tuple[int, int] = (0, -1)
) -> tuple[int, int]:
    """The place (attempt, rank) to which a timeline leads from `place`."""
    attempt, rank = place
    for said in timeline:
        if said.reason in {"late", "retry_wait"}:
            continue
        if said.reason == "cancelled" and said.by == CEREBRO:
            attempt, rank = said.attempt, Rank.CANCELLED
        elif said.state == "pending":
            attempt, rank = said.attempt, Rank.PENDING
        else:
            attempt, rank = said.attempt, _RANK_SAID[said.state]
    return attempt, rank


def of_run(plan: Plan, facts: Facts, before: Run | None, after: Run) -> str | None:
    """A run was written."""
    if before is not None:
        if after.version != before.version + 1 or after.rev < before.rev:
            return f"the run was written as version {after.version}, rev {after.rev}, upon {before.version}, {before.rev}"
        if before.status in ("completed", "cancelled") and after.status != before.status:
            return f"the run was {before.status}, and that is final, but it is {after.status} now"
    if after.status == "completed" and not ((fact := facts.get(plan.target)) and fact.is_completed):
        return "the run completed without its target"
    if len(set(after.commands)) < len(after.commands):
        return "a command was applied twice"
    return None


def alive_though_over(
    snapshot: RunSnapshot, run: Run, facts: Facts, pending: Callable[[str], bool]
) -> str | None:
    """A run that has ended has nothing live, and in error not its target completed, but by an input that is still being handled.

    `pending` says whether the input of that id (a fact's `cause`) is still to be acknowledged. While a completion is still
    being handled, others may go on from it before it has healed the run.
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
    rings: Sequence[float],
    pending: Callable[[str], bool],
) -> str | None:
    """Every live attempt of a page is guarded: a ring is on its way that is due by its deadline, or whoever wrote it is still at it.

    `rings` say when the page's rings are due that were sent and not yet answered.
    """
    first = min(rings, default=float("inf"))
    for index in indexes_of(page, snapshot.plan.size):
        fact = facts.get(index)
        if (
            fact is not None
            and fact.deadline is not None
            and first > fact.deadline
            and not pending(fact.cause)
        ):
            return f"{snapshot.plan.tasks[index].name} is live and nobody guards its deadline"
    return None


def at_rest(snapshot: RunSnapshot, run: Run, facts: Facts) -> str | None:
    """Nothing is on its way any more: every run is over, and rightly so."""
    plan = snapshot.plan
    if run.status == "running":
        return "the run is stuck: nothing is on its way, and it has not ended"
    for index, fact in facts.items():
        if fact.is_live:
            return f"{plan.tasks[index].name} is live for ever in a run that is over"
    return _rightly_in_error(plan, facts) if run.status == "error" else None


def _rightly_in_error(plan: Plan, facts: Facts) -> str | None:
    if all_completed([plan.target], facts):
        return "the run ended in error, but its target has completed"
    found = run_liveness(plan, facts)
    if found.is_alive:
        return "the run ended in error, but more of it could run"
    if not found.failed:
        return "the run ended in error, but nothing failed"
    if found.blocked != _blocked_by_reach(plan, facts):
        return "blocked is not what an upstream's failure reaches"
    return None


def _blocked_by_reach(plan: Plan, facts: Facts) -> frozenset[int]:
    """What failures reach downstream, computed the other way round than `standing` does."""
    reached: set[int] = set()
    frontier = [index for index, fact in facts.items() if fact.failed_for_good]
    while frontier:
        for index in plan.downstream[frontier.pop()]:
            if index not in facts and index not in reached:
                reached.add(index)
                frontier.append(index)
    return frozenset(reached)
