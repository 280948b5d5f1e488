"""Run status: how a run becomes failing, ends, and is reopened.

Theory of operation. The state of a run is not counted along: a counter is decremented twice by a
redelivered message, and a fact is not. Whether a run is over is derived from its facts whenever
something failed permanently, by one reading of all of them:

    alive      a deadline is open, or a waiting task has only completed upstreams (a handler is
               about to dispatch it)
    failed     a fact that failed permanently
    blocked    a waiting task that is downstream of a failure

If nothing is alive, the run ends: completed if its target completed, else in error. A run whose
target completes ends at once, without any of this, because the target is the only sink of its
plan.

Reading takes time, and other handlers write meanwhile. Two rules make the derived end right:

1. Pages are read from the last to the first. A dispatch puts a fact downstream of a completed one.
   If it happens between two reads, the upstream is read later, and the task shows up as one whose
   upstreams have all completed, so the run counts as alive.
2. What may bring a run back to life (an update of a failed attempt, a RetryRun) first writes its
   fact and then steps `rev` and sets the run running again. The end is written only if `rev` is
   still what it was before the facts were read. So either the reading saw the fact, or the end is
   refused; and an end that was written before the step is undone by it.

That something failed is announced once, by the input that set `failing`; the end by the input that
wrote it. Each repeats its announcement if it is delivered again. The causes of an end are read
again if its `rev` is not that of the facts: a run that was opened again has another end.

Invariant: a run ends in error only if nothing was alive in a reading of its facts that began after
`rev` was read, and `rev` has not stepped since (docs/rules.md, rule 5).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from cerebro.core.effects import Now, Publish, ReadTask
from cerebro.core.incidents.effects import SendIncidentNotice
from cerebro.core.incidents.notices import FailureNotice
from cerebro.core.messages import run_state_changed
from cerebro.core.model.plan import Plan
from cerebro.core.model.run import Run, RunSnapshot
from cerebro.core.model.task_run import Rank, TaskRun, all_completed
from cerebro.core.run.run_access import read_facts, read_run, write_run
from cordyna_core.contract.base import RootCause


@dataclass(frozen=True, slots=True)
class RunLiveness:
    """What is derived from a plan and its facts: see the theory of operation above."""

    is_alive: bool
    failed: tuple[int, ...]
    blocked: frozenset[int]


def run_liveness(plan: Plan, facts: Mapping[int, TaskRun]) -> RunLiveness:
    """Return what is alive, what failed permanently, and what that blocks."""
    failed = tuple(
        index
        for index in range(plan.size)
        if (fact := facts.get(index)) and fact.failed_permanently
    )
    blocked: set[int] = set()
    alive = any(fact.is_live for fact in facts.values())
    stopped = set(failed)
    # In topological order the fate of an upstream is known before that of its downstream.
    for index, task in enumerate(plan.tasks):
        fact = facts.get(index)
        if fact is not None and not fact.is_waiting:
            continue
        if stopped.intersection(task.awaits):
            stopped.add(index)
            blocked.add(index)
        elif not alive and all_completed(task.awaits, facts):
            alive = True
    return RunLiveness(alive, failed, frozenset(blocked))


def root_causes(plan: Plan, facts: Mapping[int, TaskRun], failed: Sequence[int]) -> list[RootCause]:
    """Return the tasks that failed permanently, with their owners."""
    return [
        RootCause(
            task=plan.tasks[index].name,
            server=plan.tasks[index].server,
            owner=plan.tasks[index].owner,
            reason=facts[index].reason or "failed",
        )
        for index in failed
        if facts[index].rank != Rank.COMPLETED
    ]


async def announce_failure(snapshot: RunSnapshot, index: int, fact: TaskRun, *, cause: str) -> None:
    """Record that something failed permanently, and have its owner notified.

    What failed first is published with the run; what fails later is in a notice.
    """
    if not await mark_failing(snapshot, index, fact, cause=cause):
        await SendIncidentNotice(FailureNotice(snapshot.run.id, cause))


async def mark_failing(snapshot: RunSnapshot, index: int, fact: TaskRun, *, cause: str) -> bool:
    """Record that something failed permanently, and publish it once.

    The same cause publishes it again. Returns whether there is nothing more to publish: it did, or
    the run completed or was cancelled.
    """
    run = await read_run(snapshot.run.id)
    while not run.failing and not run.is_over:
        new = replace(run, failing=True, cause=cause, version=run.version + 1)
        run = (await write_run(new, run)) or new
    if run.is_over or run.cause != cause:
        return run.status in ("completed", "cancelled")
    facts = {index: fact}
    blocked = len(run_liveness(snapshot.plan, facts).blocked)
    causes = root_causes(snapshot.plan, facts, [index])
    now = await Now()
    failing = run_state_changed(
        run, "failing", cause=cause, now=now, root_causes=causes, blocked=blocked
    )
    await Publish((failing,))
    return True


async def reopen_run(run_id: str, *, cause: str) -> Run:
    """Step `rev` and set a run that ended in error running again; publish it if it was reopened.

    Returns the run as it is then; a completed or cancelled one is left as it is.
    """
    run = await read_run(run_id)
    while run.status in ("running", "error"):
        new = _reopened(run, cause=cause)
        conflicting = await write_run(new, run)
        if conflicting is None:
            if run.is_over:
                now = await Now()
                await Publish((run_state_changed(new, "running", cause=cause, now=now),))
            return new
        run = conflicting
    return run


async def apply_command(run_id: str, command_id: str, *, cause: str) -> tuple[Run, bool]:
    """Record that a command was applied, and reopen the run.

    Returns the run as it is then, and whether this call recorded it. A command that was recorded
    before reopens a run that has ended since; a completed or cancelled run is left as it is.
    """
    run = await read_run(run_id)
    while run.status in ("running", "error"):
        is_new = command_id not in run.commands
        if not is_new and not run.is_over:
            return run, False
        new = _reopened(run, cause=cause)
        if is_new:
            new = replace(new, commands=(*run.commands, command_id))
        conflicting = await write_run(new, run)
        if conflicting is None:
            return new, is_new
        run = conflicting
    return run, False


def _reopened(run: Run, *, cause: str) -> Run:
    return replace(run, status="running", rev=run.rev + 1, cause=cause, version=run.version + 1)


async def end_if_idle(snapshot: RunSnapshot, *, cause: str) -> None:
    """End the run if nothing is alive: completed if its target completed, else in error."""
    run = await read_run(snapshot.run.id)
    rev = run.rev
    # From the last page to the first: see the theory of operation.
    facts = await read_facts(snapshot)
    liveness = run_liveness(snapshot.plan, facts)
    if liveness.is_alive:
        return
    if all_completed([snapshot.plan.target], facts):
        # The handler that completed the target has not ended the run yet.
        await end_run(snapshot, "completed", cause=cause)
    else:
        causes = root_causes(snapshot.plan, facts, liveness.failed)
        await end_run(
            snapshot,
            "error",
            cause=cause,
            rev=rev,
            root_causes=causes,
            blocked=len(liveness.blocked),
        )


async def end_run(
    snapshot: RunSnapshot,
    status: Literal["completed", "error"],
    *,
    cause: str,
    rev: int | None = None,
    seen: Run | None = None,
    root_causes: Sequence[RootCause] = (),
    blocked: int = 0,
) -> None:
    """End the run unless it has ended, or `rev` has stepped; the same cause publishes it again.

    `seen`: the run as the caller has read it already.

    A run that ended in error although its target completed becomes completed: a completion heals
    a run as it heals a task run.
    """
    run = seen or await read_run(snapshot.run.id)
    while run.status == "running" or (run.status == "error" and status == "completed"):
        if rev is not None and run.rev != rev:
            return
        if status == "completed" and run.reruns and not await _target_completed(snapshot):
            return
        new = replace(run, status=status, cause=cause, version=run.version + 1)
        run = (await write_run(new, run)) or new
    if run.status != status or run.cause != cause:
        return
    if rev is not None and run.rev != rev:
        # Another delivery of this input has ended the opened run, and for other facts.
        await end_if_idle(snapshot, cause=cause)
        return
    now = await Now()
    ended = run_state_changed(
        run, status, cause=cause, now=now, root_causes=root_causes, blocked=blocked
    )
    await Publish((ended,))


async def _target_completed(snapshot: RunSnapshot) -> bool:
    """Return whether the target is completed now: a rerun may have made it wait again."""
    fact = await ReadTask(snapshot.run.id, snapshot.plan.target, fresh=True)
    return fact is not None and fact.is_completed
