"""Causes: what the events of cerebro show about tasks and servers that need their owners.

Invariant: a run is read before anything is recorded: an event that is delivered late says nothing
about what was healed since.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from cerebro.core.effects import (
    ReadGraph,
    ReadPage,
    ReadRun,
    ReadRunSnapshot,
    ReadTask,
    ReadTick,
)
from cerebro.core.graph.graph import Graph
from cerebro.core.incidents.incident import BLOCKED_MAX, Blocked, Evidence, Failure
from cerebro.core.incidents.record import (
    close_if_newest_is,
    close_if_opened_before,
    record,
    resume,
)
from cerebro.core.incidents.watch import crowded_servers, last_answers
from cerebro.core.model.plan import Plan
from cerebro.core.model.run import RunSnapshot
from cerebro.core.model.task_run import Rank, TaskRun, without_details
from cordyna_core.contract.base import ErrorDescription, Problem
from cordyna_core.contract.due import due_at
from cordyna_core.contract.envelope import Envelope
from cordyna_core.contract.ids import derived_id
from cordyna_core.contract.incidents import IncidentKind, incident_id
from cordyna_core.contract.state_updates import (
    DeclarationRejected,
    InvocationRejected,
    RunStateChanged,
    TaskStateChanged,
)

CAUSES_PER_RUN_MAX: Final = 100
"""Failed tasks of one run that are recorded by themselves; further ones are those of its end."""


async def on_run_state(envelope: Envelope) -> None:
    """Record what failed in a run."""
    changed = envelope.message
    assert isinstance(changed, RunStateChanged)
    await record_failures(changed.run_id, cause=envelope.id)


async def record_failures(run_id: str, *, cause: str) -> None:
    """Record every task that failed for good in a run, as it is now."""
    snapshot, run = await ReadRunSnapshot(run_id), await ReadRun(run_id)
    if snapshot is None or run is None:
        return
    facts, ever_failed = await _read_facts(snapshot)
    is_final = run.status in ("completed", "cancelled")
    failed = [index for index, fact in sorted(facts.items()) if _has_failed(fact) and not is_final]
    graph = await ReadGraph()
    await _resume_others(graph, snapshot, facts, ever_failed, failed, cause=cause)
    for index in failed[:CAUSES_PER_RUN_MAX]:
        await record(_evidence_of(graph, snapshot, facts, index), cause=cause)
        if facts[index].rank == Rank.ERROR:
            # Its server has answered, so it is alive.
            server = incident_id("unresponsive", snapshot.plan.tasks[index].server)
            await close_if_opened_before(server, facts[index].dispatched_at, cause=cause)
    await close_answered(snapshot.plan, facts, cause=cause)


async def _read_facts(snapshot: RunSnapshot) -> tuple[dict[int, TaskRun], frozenset[int]]:
    """Return all facts of a run, and the indexes of what has ever failed for good.

    Only those whose failures are recorded have details.
    """
    facts: dict[int, TaskRun] = {}
    recorded: dict[int, TaskRun] = {}
    ever_failed: set[int] = set()
    for page in reversed(snapshot.plan.pages):
        found = await ReadPage(snapshot.run.id, page)
        facts.update((index, without_details(fact)) for index, fact in found.items())
        ever_failed.update(index for index, fact in found.items() if _has_failed_for_good(fact))
        recorded |= {index: fact for index, fact in found.items() if _has_failed(fact)}
        recorded = dict(sorted(recorded.items())[:CAUSES_PER_RUN_MAX])
    return facts | recorded, frozenset(ever_failed)


def _has_failed(fact: TaskRun) -> bool:
    return fact.failed_permanently and fact.rank != Rank.CANCELLED


async def close_answered(plan: Plan, facts: Mapping[int, TaskRun], *, cause: str) -> None:
    """Close the incidents of servers that have completed something in a run since they opened."""
    answers = last_answers(plan, facts)
    # Also a server that has not: an earlier delivery may have closed its incident and crashed.
    for server in crowded_servers(plan):
        await close_if_opened_before(
            incident_id("unresponsive", server), answers.get(server, 0.0), cause=cause
        )


async def _resume_others(
    graph: Graph,
    snapshot: RunSnapshot,
    facts: Mapping[int, TaskRun],
    ever_failed: frozenset[int],
    failed: Sequence[int],
    *,
    cause: str,
) -> None:
    """Resume what an earlier delivery may have recorded, and this one does not record again.

    That is of each task that has ever failed for good: it may have been healed or retried since. Of
    those that have failed now, no more than are recorded: to read thousands of incidents takes
    longer than a handler may. What is not published of the others is published by the next program
    that reads them.
    """
    recorded: dict[str, list[Failure]] = {}
    now_failed, passed_over = frozenset(failed), frozenset(failed[CAUSES_PER_RUN_MAX:])
    for index in sorted(ever_failed - passed_over):
        task = snapshot.plan.tasks[index]
        failure = Failure(snapshot.run.id, index, facts[index].attempt)
        kinds: dict[IncidentKind, str] = {"failed": task.name, "unresponsive": task.server}
        for kind, subject in kinds.items():
            failures = recorded.setdefault(incident_id(kind, subject), [])
            if index not in now_failed:
                failures.append(failure)
    for incident, failures in recorded.items():
        await resume(incident, failures, graph=graph, cause=cause)


def _has_failed_for_good(fact: TaskRun) -> bool:
    """Return whether an attempt has failed that was not retried by itself."""
    retried = {entry.attempt for entry in fact.timeline if entry.reason == "retry_wait"}
    return any(entry.state == "error" and entry.attempt not in retried for entry in fact.timeline)


def _evidence_of(
    graph: Graph, snapshot: RunSnapshot, facts: Mapping[int, TaskRun], index: int
) -> Evidence:
    task, fact = snapshot.plan.tasks[index], facts[index]
    is_silent = fact.rank == Rank.ACK_TIMEOUT
    return Evidence(
        kind="unresponsive" if is_silent else "failed",
        key=Failure(snapshot.run.id, index, fact.attempt).key,
        task=None if is_silent else task.name,
        server=task.server,
        owner=task.owner,
        reason=fact.reason or "failed",
        error=fact.error,
        run_id=snapshot.run.id,
        failure=Failure(snapshot.run.id, index, fact.attempt),
        blocked=blocked_by(graph, snapshot, facts, index),
        traceparent=snapshot.run.traceparent,
    )


def blocked_by(
    graph: Graph, snapshot: RunSnapshot, facts: Mapping[int, TaskRun], cause: int
) -> tuple[Blocked, ...]:
    """Return what waits for a task in a run, in the order of the plan, at most BLOCKED_MAX."""
    plan, reached = snapshot.plan, {cause}
    blocked: list[Blocked] = []
    for index, task in enumerate(plan.tasks):
        fact = facts.get(index)
        is_waiting = fact is None or fact.is_waiting
        if index == cause or not is_waiting or not reached.intersection(task.awaits):
            continue
        reached.add(index)
        if not task.is_join and len(blocked) < BLOCKED_MAX:
            due = _due_of(graph, snapshot) if index == plan.target else None
            blocked.append(Blocked(task.name, task.server, task.owner, due))
    return tuple(blocked)


def _due_of(graph: Graph, snapshot: RunSnapshot) -> float | None:
    """Return until when the target of a cron's run has to be completed, if it says so."""
    owned, nominal = graph.get(snapshot.run.task), snapshot.run.scheduled_at
    if owned is None or owned.task.due is None or nominal is None:
        return None
    return due_at(owned.task.due, owned.task.timezone, nominal)


async def on_unacknowledged(envelope: Envelope) -> None:
    """Record that a server did not acknowledge a command, even if it is sent again."""
    expired = envelope.message
    assert isinstance(expired, TaskStateChanged)
    snapshot = await ReadRunSnapshot(expired.run_id)
    index = snapshot.plan.index_of.get(expired.task) if snapshot is not None else None
    if snapshot is None or index is None:
        return
    fact = await ReadTask(expired.run_id, index)
    task = snapshot.plan.tasks[index]
    failure = Failure(expired.run_id, index, expired.attempt)
    if fact is None or fact.rank not in (Rank.PENDING, Rank.ACK_TIMEOUT):
        # It has answered since, or the run was cancelled.
        incident, graph = incident_id("unresponsive", task.server), await ReadGraph()
        await resume(incident, [failure], graph=graph, cause=envelope.id)
        return
    evidence = Evidence(
        kind="unresponsive",
        key=failure.key,
        task=None,
        server=task.server,
        owner=task.owner,
        reason="ack_timeout",
        run_id=expired.run_id,
        failure=failure,
        traceparent=snapshot.run.traceparent,
    )
    await record(evidence, cause=envelope.id)


async def on_declaration_rejected(envelope: Envelope) -> None:
    """Record that a server's declaration was rejected, unless a newer one has been accepted since.

    A deployment that fails on a rejection is rolled back within seconds, which declares anew. That
    may be accepted before the incident is open, so it is looked for before and after.
    """
    rejected = envelope.message
    assert isinstance(rejected, DeclarationRejected)
    graph = await ReadGraph()
    if not _is_superseded(rejected, graph):
        await _record_rejection(rejected, graph, envelope)
        graph = await ReadGraph()
    if _is_superseded(rejected, graph):
        incident = incident_id("rejected_declaration", rejected.server)
        await close_if_newest_is(envelope.id, incident, cause=envelope.id)


def _is_superseded(rejected: DeclarationRejected, graph: Graph) -> bool:
    """Return whether a declaration with a higher revision is accepted.

    None was when it was rejected: it would have been ignored for its revision.
    """
    accepted = graph.declarations.get(rejected.server)
    if accepted is None or rejected.revision is None:
        return False
    return accepted.revision > rejected.revision


async def _record_rejection(
    rejected: DeclarationRejected, graph: Graph, envelope: Envelope
) -> None:
    evidence = Evidence(
        kind="rejected_declaration",
        key=envelope.id,
        task=None,
        server=rejected.server,
        owner=owner_of_server(graph, rejected.server),
        reason=rejected.problems[0].code if rejected.problems else None,
        error=_error_of(rejected.problems),
    )
    await record(evidence, cause=envelope.id)


def owner_of_server(graph: Graph, server: str) -> str | None:
    """Return the first owner that an accepted task of the server names."""
    declared = graph.declarations.get(server)
    owners = (task.owner for task in declared.tasks) if declared is not None else ()
    return next((owner for owner in owners if owner is not None), None)


async def on_invocation_rejected(envelope: Envelope) -> None:
    """Record that a cron's tick led to no run: it was missed, or its invocation was refused."""
    rejected = envelope.message
    assert isinstance(rejected, InvocationRejected)
    graph = await ReadGraph()
    owned = graph.get(rejected.task)
    codes = {problem.code for problem in rejected.problems}
    if owned is None or ("missed_tick" not in codes and not await _is_refused_tick(rejected)):
        # It may have been one when it was delivered first.
        incident = incident_id("missed_cron", rejected.task)
        await resume(incident, graph=graph, cause=envelope.id)
        return
    evidence = Evidence(
        kind="missed_cron",
        key=rejected.event_id,
        task=rejected.task,
        server=owned.server,
        owner=owned.task.owner,
        reason=next(iter(sorted(codes)), None),
        error=_error_of(rejected.problems),
    )
    await record(evidence, cause=envelope.id)


async def _is_refused_tick(rejected: InvocationRejected) -> bool:
    """Return whether it refuses the invocation of the last tick of the task that fired."""
    nominal = await ReadTick(rejected.task)
    return nominal is not None and rejected.event_id == derived_id(
        "tick", rejected.task, str(nominal)
    )


def _error_of(problems: list[Problem]) -> ErrorDescription | None:
    if not problems:
        return None
    more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    return ErrorDescription(type=problems[0].code, message=problems[0].message + more)
