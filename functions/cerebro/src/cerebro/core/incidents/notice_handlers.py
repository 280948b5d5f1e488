"""Notice handlers: what follows when a watched task completes, a server is back, a timer fires.

Invariant: a notice changes an incident only if what is stored says the same.
"""

from dataclasses import replace
from typing import Final

from cerebro.core.effects import Now, ReadRun, ReadRunSnapshot, ReadTasks
from cerebro.core.incidents.causes import close_answered, record_failures
from cerebro.core.incidents.effects import (
    ReadActiveRuns,
    ReadIncident,
    ReadNewestRuns,
    SendIncidentTimer,
)
from cerebro.core.incidents.incident import TASK_KINDS, Failure, Incident, with_publication
from cerebro.core.incidents.notices import (
    CompletionNotice,
    FailureNotice,
    IncidentTimer,
    ServerNotice,
)
from cerebro.core.incidents.record import (
    arm_publication,
    change_incident,
    close_if_opened_before,
    finish_closing,
    note_completion,
    publish_pending,
    watch_run,
)
from cerebro.core.incidents.watch import crowded_servers, tasks_of_cause, watched_tasks
from cerebro.core.run.run_access import read_facts
from cordyna_core.contract.incidents import incident_id

RUNS_EXAMINED_MAX: Final = 1000
"""Runs under way in which one incident looks for its task; and the newest runs beside them."""

NEWEST_RUNS: Final = 100


async def on_completion(notice: CompletionNotice) -> None:
    """Close what this completion ends."""
    snapshot = await ReadRunSnapshot(notice.run_id)
    if snapshot is None:
        return
    task = snapshot.plan.tasks[notice.index]
    completed = Failure(notice.run_id, notice.index, notice.attempt)
    for incident in (
        *(incident_id(kind, task.name) for kind in TASK_KINDS),
        incident_id("unresponsive", task.server),
    ):
        await note_completion(incident, completed, notice.dispatched_at, cause=notice.id)
    if notice.index == snapshot.plan.target and crowded_servers(snapshot.plan):
        facts = await read_facts(snapshot)
        await close_answered(snapshot.plan, facts, cause=notice.id)


async def on_failure(notice: FailureNotice) -> None:
    """Record what failed in a run that was failing already."""
    await record_failures(notice.run_id, cause=notice.id)


async def on_server(notice: ServerNotice) -> None:
    """Close the incident of a server that has recovered."""
    incident = incident_id(notice.kind, notice.server)
    await close_if_opened_before(incident, notice.at, cause=notice.id)


async def on_incident_timer(timer: IncidentTimer) -> None:
    """Look for completions that no mark could show, and publish what has changed."""
    now = await Now()
    if now < timer.due:
        await SendIncidentTimer(timer)
        return
    incident = await ReadIncident(timer.incident)
    if incident is not None and incident.is_open:
        await _settle(incident, cause=timer.id)
        incident = await ReadIncident(timer.incident)
    if incident is None:
        return
    if incident.is_open:
        await _publish_change(incident.id, cause=timer.id)
    else:
        await finish_closing(incident, cause=timer.id)


async def _settle(incident: Incident, *, cause: str) -> None:
    """Mark the runs under way that will show the end of the cause, and find those that have."""
    if incident.kind == "rejected_declaration":
        return
    active, newest = await ReadActiveRuns(), await ReadNewestRuns(NEWEST_RUNS)
    run_ids = dict.fromkeys([*active[:RUNS_EXAMINED_MAX], *(run.id for run in newest)])
    for run_id in run_ids:
        snapshot = await ReadRunSnapshot(run_id)
        if snapshot is None:
            continue
        indexes = watched_tasks(snapshot.plan, frozenset({incident.mark}))
        if not indexes:
            continue
        run = await ReadRun(run_id)
        if run is not None and run.status in ("running", "error"):
            # Marked first and read then: what completes in between is noticed.
            await watch_run(run_id, indexes)
        shown_by = tasks_of_cause(snapshot.plan, incident.mark)
        for index, fact in (await ReadTasks(run_id, shown_by, fresh=True)).items():
            if fact.is_completed and fact.dispatched_at > incident.opened_at:
                completed = Failure(run_id, index, fact.attempt)
                await note_completion(incident.id, completed, fact.dispatched_at, cause=cause)
                return


async def _publish_change(incident: str, *, cause: str) -> None:
    """Publish what has changed and may be published now; arm it if it may not."""

    def changed(stored: Incident | None, now: float) -> Incident | None:
        if stored is None or not stored.is_open:
            return None
        new = with_publication(stored, cause=cause, now=now)
        return None if new is stored else replace(new, version=stored.version + 1)

    stored = await change_incident(incident, changed)
    if stored is not None:
        stored = await publish_pending(stored)
        if stored.is_open and stored.is_dirty:
            await arm_publication(stored)
