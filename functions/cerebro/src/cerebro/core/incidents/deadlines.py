"""Deadlines: armed when a cron's tick fires, and decided when they are due.

Invariant: the timer is sent before the run is asked for, so it fires even if no run is ever
created; one timer decides (docs/rules.md, rule 20).
"""

from dataclasses import replace

from cerebro.core.effects import Now, ReadGraph, ReadPage, ReadRunSnapshot, ReadTask
from cerebro.core.graph.graph import Graph
from cerebro.core.incidents.critical_path import CriticalPath, critical_path, durations_of
from cerebro.core.incidents.deadline import Deadline
from cerebro.core.incidents.effects import ReadDeadline, SendIncidentTimer, WriteDeadline
from cerebro.core.incidents.incident import Evidence, Failure
from cerebro.core.incidents.notices import DeadlineTimer
from cerebro.core.incidents.record import record, resume
from cerebro.core.internal_messages import Tick
from cerebro.core.model.plan import Plan
from cerebro.core.model.run import RunSnapshot
from cerebro.core.run.invoke import tick_key
from cerebro.core.run.run_access import read_facts
from cordyna_core.contract.base import ErrorDescription
from cordyna_core.contract.due import due_at
from cordyna_core.contract.ids import SCHEDULER, run_id_of
from cordyna_core.contract.incidents import incident_id
from cordyna_core.contract.time import utc


async def arm_deadline(graph: Graph, tick: Tick, before: float | None) -> None:
    """Store until when this tick's run has to be completed, and have it decided then."""
    owned = graph.get(tick.task)
    if owned is None or owned.task.due is None:
        return
    due = due_at(owned.task.due, owned.task.timezone, tick.nominal)
    deadline = Deadline(
        task=tick.task,
        nominal=tick.nominal,
        due=due,
        before=before if before is not None and before < tick.nominal else None,
    )
    stored = await WriteDeadline(deadline, None)
    if stored is None or stored.outcome is None:
        await SendIncidentTimer(DeadlineTimer(tick.task, tick.nominal, (stored or deadline).due))


async def resume_deadline(tick: Tick) -> None:
    """Have the deadline of a tick decided that an earlier delivery stored before it crashed."""
    stored = await ReadDeadline(tick.task, tick.nominal)
    if stored is not None and stored.outcome is None:
        await SendIncidentTimer(DeadlineTimer(tick.task, tick.nominal, stored.due))


async def on_deadline(timer: DeadlineTimer) -> None:
    """Decide whether the run of a tick was completed in time, and record it if it was not."""
    now = await Now()
    if now < timer.due:
        await SendIncidentTimer(timer)
        return
    deadline = await ReadDeadline(timer.task, timer.nominal)
    if deadline is None:
        return
    run_id = run_id_of(timer.task, tick_key(timer.nominal), SCHEDULER)
    snapshot = await ReadRunSnapshot(run_id)
    target = None if snapshot is None else await ReadTask(run_id, snapshot.plan.target, fresh=True)
    while deadline.outcome is None:
        is_met = target is not None and target.is_completed
        decided = replace(
            deadline, outcome="met" if is_met else "missed", version=deadline.version + 1
        )
        deadline = (await WriteDeadline(decided, deadline)) or decided
    if deadline.outcome == "missed":
        await _record_missed(deadline, snapshot, now, cause=timer.id)


async def _record_missed(
    deadline: Deadline,
    snapshot: RunSnapshot | None,
    now: float,
    *,
    cause: str,
) -> None:
    graph = await ReadGraph()
    owned = graph.get(deadline.task)
    if snapshot is not None:
        target = snapshot.plan.tasks[snapshot.plan.target]
        server, owner = target.server, target.owner
    elif owned is not None:
        server, owner = owned.server, owned.task.owner
    else:
        # Neither its run nor its task exists; they may have when the timer fired first.
        await resume(incident_id("deadline", deadline.task), graph=graph, cause=cause)
        return
    path = None
    if snapshot is not None:
        facts, usual = await read_facts(snapshot), await _usual_durations(deadline)
        path = critical_path(snapshot.plan, facts, usual, now=now)
    evidence = Evidence(
        kind="deadline",
        key=cause,
        task=deadline.task,
        server=server,
        owner=owner,
        reason="not_begun" if path is None else "late",
        error=ErrorDescription(
            type="DeadlineMissed",
            message=_message(deadline, path, snapshot.plan if snapshot is not None else None),
        ),
        run_id=snapshot.run.id if snapshot is not None else None,
        failure=Failure(snapshot.run.id, snapshot.plan.target, 0) if snapshot is not None else None,
        traceparent=snapshot.run.traceparent if snapshot is not None else None,
    )
    await record(evidence, cause=cause)


async def _usual_durations(deadline: Deadline) -> dict[str, float]:
    """Return how long each task took in the run of the tick before, in seconds."""
    if deadline.before is None:
        return {}
    snapshot = await ReadRunSnapshot(run_id_of(deadline.task, tick_key(deadline.before), SCHEDULER))
    durations: dict[str, float] = {}
    if snapshot is not None:
        for page in snapshot.plan.pages:
            durations |= durations_of(snapshot.plan, await ReadPage(snapshot.run.id, page))
    return durations


def _message(deadline: Deadline, path: CriticalPath | None, plan: Plan | None) -> str:
    due = _to_the_second(deadline.due)
    if path is None or plan is None:
        return f"due {due}, and the run of {_to_the_second(deadline.nominal)} was never created"
    names = " -> ".join(
        f"{plan.tasks[index].name} ({plan.tasks[index].owner or plan.tasks[index].server})"
        for index in path.indexes
    )
    if path.blocked_by is not None:
        return f"due {due}; {plan.tasks[path.blocked_by].name} failed, and holds up {names}"
    if path.ready_at is None:
        return f"due {due}; waits for {names}; how long that takes is not known yet"
    return f"due {due}; waits for {names}; expected at {_to_the_second(path.ready_at)}"


def _to_the_second(at: float) -> str:
    """Return `2026-11-30 06:00:00Z`: a person reads it, and an estimate is no more exact."""
    return f"{utc(round(at)):%Y-%m-%d %H:%M:%SZ}"
