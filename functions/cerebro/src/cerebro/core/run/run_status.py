"""Ending: how a run becomes failing, ends, and comes alive again.

Law: a run ends in error only if nothing was live in a reading of its facts that began after `rev` was read, and `rev`
has not stepped since. Whatever may bring a run back to life first writes its fact, then steps `rev`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from cerebro.core.effects import Now, Publish, ReadPage
from cerebro.core.messages import run_state_changed
from cerebro.core.model import Plan, Rank, RunSnapshot, TaskRun, all_completed
from cerebro.core.run.run_access import read_run, write_run
from cordyna_core.contract.base import RootCause


@dataclass(frozen=True, slots=True)
class RunLiveness:
    """How a run stands, derived from its plan and its facts."""

    is_alive: bool
    failed: tuple[int, ...]
    blocked: frozenset[int]


def run_liveness(plan: Plan, facts: Mapping[int, TaskRun]) -> RunLiveness:
    """What is live, what failed for good, and what that blocks.

    Alive: a deadline is open, or a task without a fact has only completed upstreams (somebody is about to dispatch it).
    """
    failed = tuple(
        index for index in range(plan.size) if (fact := facts.get(index)) and fact.failed_for_good
    )
    blocked: set[int] = set()
    alive = any(fact.is_live for fact in facts.values())
    stopped = set(failed)
    for index, task in enumerate(
        plan.tasks
    ):  # topological order: an upstream's fate is known before its downstream's
        if index in facts:
            continue
        if stopped.intersection(task.awaits):
            stopped.add(index)
            blocked.add(index)
        elif not alive and all_completed(task.awaits, facts):
            alive = True
    return RunLiveness(alive, failed, frozenset(blocked))


def root_causes(plan: Plan, facts: dict[int, TaskRun], failed: Sequence[int]) -> list[RootCause]:
    """Who owes an explanation."""
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


async def mark_failing(snapshot: RunSnapshot, index: int, fact: TaskRun, *, cause: str) -> None:
    """Note that something failed for good, and say so once; the same cause says it again."""
    run = await read_run(snapshot.run.id)
    while not run.failing and not run.is_over:
        new = replace(run, failing=True, cause=cause, version=run.version + 1)
        run = (await write_run(new, run)) or new
    if run.is_over or run.cause != cause:
        return
    facts = {index: fact}
    blocked = run_liveness(snapshot.plan, facts).blocked
    now = await Now()
    causes = root_causes(snapshot.plan, facts, [index])
    await Publish(
        (
            run_state_changed(
                run, "failing", cause=cause, now=now, root_causes=causes, blocked=len(blocked)
            ),
        )
    )


async def reopen_run(run_id: str, *, cause: str, commands: tuple[str, ...] = ()) -> None:
    """Step `rev`, set a run that ended in error running again, and say so: something may come of it after all.

    `commands` are the ids of commands that are hereby applied; one that was applied before is not noted twice, and steps
    nothing in a run that goes on.
    """
    run = await read_run(run_id)
    while run.status in ("running", "error"):
        applied = tuple(each for each in commands if each not in run.commands)
        if commands and not applied and not run.is_over:
            return
        new = replace(
            run,
            status="running",
            rev=run.rev + 1,
            cause=cause,
            version=run.version + 1,
            commands=run.commands + applied,
        )
        there = await write_run(new, run)
        if there is None:
            if run.is_over or commands:
                now = await Now()
                await Publish((run_state_changed(new, "running", cause=cause, now=now),))
            return
        run = there


async def end_if_idle(snapshot: RunSnapshot, *, cause: str) -> None:
    """The look: end the run when nothing is live or can be dispatched: completed if its target has, else in error."""
    run = await read_run(snapshot.run.id)
    rev, facts = run.rev, {}
    # From the last page to the first: a dispatch in between shows up as a task whose upstreams are all completed.
    for page in reversed(snapshot.plan.pages):
        facts.update(await ReadPage(snapshot.run.id, page))
    found = run_liveness(snapshot.plan, facts)
    if found.is_alive:
        return
    if all_completed([snapshot.plan.target], facts):
        # Its target completed, and whoever completed it has not come to say so yet.
        await end_run(snapshot.run.id, "completed", cause=cause)
    else:
        causes = root_causes(snapshot.plan, facts, found.failed)
        await end_run(
            snapshot.run.id,
            "error",
            cause=cause,
            rev=rev,
            root_causes=causes,
            blocked=len(found.blocked),
        )


async def end_run(
    run_id: str,
    status: Literal["completed", "error"],
    *,
    cause: str,
    rev: int | None = None,
    root_causes: Sequence[RootCause] = (),
    blocked: int = 0,
) -> None:
    """End the run unless it has ended, or `rev` has stepped. The same cause says it again: the first time may have crashed.

    As a completion heals a task run, it heals a run: one that ended in error while its target completed has completed.
    """
    run = await read_run(run_id)
    while run.status == "running" or (run.status == "error" and status == "completed"):
        if rev is not None and run.rev != rev:
            return
        new = replace(run, status=status, cause=cause, version=run.version + 1)
        run = (await write_run(new, run)) or new
    if run.status != status or run.cause != cause:
        return
    now = await Now()
    await Publish(
        (
            run_state_changed(
                run, status, cause=cause, now=now, root_causes=root_causes, blocked=blocked
            ),
        )
    )
