"""Record: opens, changes and closes incidents, and watches for what will close them.

Theory of operation. An ordinary completion must cost nothing, so no completion asks whether there
is an incident. What is watched is marked where a completion looks anyway:

    the graph   lists the causes of open incidents. Planning reads the graph, so a run that is
                planned from then on names what it watches (`Run.watched`) at no cost.
    the run     of a failure is marked when its incident is opened: a retry or a late answer may
                complete it.
    the others  that were under way when the incident was opened are marked by its timer, after
                SETTLE_S; what completed in them meanwhile is found then.

A completion reads its run, as it always does, and sends a notice if it is watched. The mark is
written before the fact is read, and the fact before the mark is read: so one of both sees the
other.

A handler that was paused after it had read the graph may store its run, or open it again, when the
timer has looked already. So one that took longer than GRAPH_VALID_S reads the graph once more.

A program that puts or takes a mark reads the incident again afterwards, because another program may
have opened or closed it meanwhile.

What a write opens, changes or closes is published by whichever program reads the incident next:
the one that wrote it, another one, or the same input when it is delivered again. That delivery
reads every incident that the first one may have written, even if there is nothing left to record.

Invariant: what is opened, changed or closed is published, in this order, before the incident is
changed again (docs/rules.md, rule 19).
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Final

from cerebro.core.effects import Now, Publish, ReadGraph, ReadRun, ReadTasks
from cerebro.core.graph.graph import Graph
from cerebro.core.incidents.effects import (
    MarkCause,
    ReadIncident,
    SendIncidentNotice,
    SendIncidentTimer,
    WriteIncident,
)
from cerebro.core.incidents.incident import (
    CHANGED_INTERVAL_S,
    Evidence,
    Failure,
    Incident,
    as_published,
    closed,
    with_completion,
    with_evidence,
)
from cerebro.core.incidents.messages import incident_changed, incident_closed, incident_opened
from cerebro.core.incidents.notices import CompletionNotice, IncidentTimer
from cerebro.core.incidents.watch import watched_tasks
from cerebro.core.model.run import RunSnapshot
from cerebro.core.run.page_timers import CLOCK_SKEW_MARGIN_S
from cerebro.core.run.run_access import write_run

SETTLE_S: Final = 600.0
"""How long after its opening an incident looks for completions that no mark could show.

A run that was planned before the graph listed the cause is stored by then, unless its handler was
paused.
"""

GRAPH_VALID_S: Final = SETTLE_S / 2
"""How long after the graph was read its marks may be those of a run that is stored or opened.

The rest of SETTLE_S is left to the handler that opens the incident, and to clocks that differ.
"""


_MESSAGES: Final = {
    "opened": incident_opened,
    "changed": incident_changed,
    "closed": incident_closed,
}
"""The message that publishes what a write made."""


async def record(evidence: Evidence, *, cause: str) -> None:
    """Open the incident of this evidence, or count it, and watch for its end."""
    stored = await change_incident(
        evidence.incident,
        lambda incident, now: with_evidence(incident, evidence, cause=cause, now=now),
    )
    if stored is None:
        return
    # Also if it is closed: an earlier delivery may have read it as open, and marked it since.
    await _sync_mark(stored.id)
    if not stored.is_open:
        await publish_pending(stored)
        return
    failures = () if evidence.failure is None else (evidence.failure,)
    await _watch_failures(failures)
    stored = await publish_pending(stored)
    if stored.is_dirty and stored.dirty_by == evidence.key:
        # Only the evidence that made it dirty has it published, even when it is delivered again.
        await _arm_if_settled(stored)
    await _note_completed(stored.id, failures, cause=cause)


async def resume(
    incident: str, failures: Sequence[Failure] = (), *, graph: Graph, cause: str
) -> None:
    """Finish what an earlier delivery of this input may have left undone when it crashed.

    `failures`: task runs of one run that it may have recorded, and that have not failed now.
    `graph`: as this delivery has read it.
    """
    stored = await ReadIncident(incident)
    if stored is None:
        return
    stored = await publish_pending(stored)
    # It may have read the incident as open, and marked it when another program had closed it: then
    # the graph lists it. Or closed it, and taken the mark away when another program had opened it.
    is_left = not stored.is_open and stored.mark in graph.watched
    if is_left or cause in (stored.opened_by, stored.closed_by):
        await _sync_mark(incident)
    if not stored.is_open:
        return
    if stored.is_dirty and any(failure.is_shown_by(stored.dirty_by) for failure in failures):
        await _arm_if_settled(stored)
    recorded = {(failure.run_id, failure.index) for failure in stored.failing}
    counted = [one for one in failures if (one.run_id, one.index) in recorded]
    await _watch_failures(counted)
    await _note_completed(incident, counted, cause=cause)


async def publish_pending(incident: Incident) -> Incident:
    """Publish what the last write of the incident made, unless that is known to be published.

    Returns the incident as it is then.
    """
    while incident.unpublished is not None:
        if incident.unpublished == "opened":
            await SendIncidentTimer(IncidentTimer(incident.id, incident.opened_at + SETTLE_S))
        now = await Now()
        await Publish((_MESSAGES[incident.unpublished](incident, now=now),))
        published = as_published(incident)
        incident = (await _write_incident(published, incident)) or published
    return incident


async def _arm_if_settled(incident: Incident) -> None:
    """Arm the publication of a change, once the timer of the opening may have fired.

    Until then, that timer arms what has changed, so fifty tasks that fail at once send no timer
    each. Asked after the change was written: what the timer reads contains it.
    """
    now = await Now()
    if now >= incident.opened_at + SETTLE_S - CLOCK_SKEW_MARGIN_S:
        await arm_publication(incident)


async def arm_publication(incident: Incident) -> None:
    """Have the incident looked at when what has changed may be published."""
    due = max(incident.published_at + CHANGED_INTERVAL_S, incident.snoozed_until or 0.0)
    await SendIncidentTimer(IncidentTimer(incident.id, due))


async def _watch_failures(failures: Sequence[Failure]) -> None:
    """Have the completions of these task runs noticed; all are of one run."""
    if failures:
        await watch_run(failures[0].run_id, [failure.index for failure in failures])


async def _note_completed(incident: str, failures: Sequence[Failure], *, cause: str) -> None:
    """Count those of the task runs as completed that are. Read after their run was marked."""
    if not failures:
        return
    run_id, indexes = failures[0].run_id, tuple(failure.index for failure in failures)
    for index, fact in (await ReadTasks(run_id, indexes, fresh=True)).items():
        if fact.is_completed:
            completed = Failure(run_id, index, fact.attempt)
            await note_completion(incident, completed, fact.dispatched_at, cause=cause)


async def note_completion(
    incident: str, completed: Failure, dispatched_at: float, *, cause: str
) -> None:
    """Close the incident, or drop what the completion has healed."""

    def changed(stored: Incident | None, now: float) -> Incident | None:
        if stored is None:
            return None
        return with_completion(stored, completed, dispatched_at, cause=cause, now=now)

    stored = await change_incident(incident, changed)
    if stored is not None:
        await finish_closing(stored, cause=cause)


async def close_if_opened_before(incident: str, at: float, *, cause: str) -> None:
    """Close the incident if it was opened before `at` (UTC seconds)."""

    def changed(stored: Incident | None, now: float) -> Incident | None:
        if stored is None or not stored.is_open or stored.opened_at >= at:
            return None
        return closed(stored, cause=cause, now=now)

    stored = await change_incident(incident, changed)
    if stored is not None:
        await finish_closing(stored, cause=cause)


async def close_if_newest_is(key: str, incident: str, *, cause: str) -> None:
    """Close the incident if nothing happened to it after the evidence with this key."""

    def changed(stored: Incident | None, now: float) -> Incident | None:
        if stored is None or not stored.is_open or stored.seen[-1:] != (key,):
            return None
        return closed(stored, cause=cause, now=now)

    stored = await change_incident(incident, changed)
    if stored is not None:
        await finish_closing(stored, cause=cause)


async def finish_closing(incident: Incident, *, cause: str) -> None:
    """Take the mark away, if this cause closed the incident, and publish what is not published.

    If another program has opened it since, the mark is put back.
    """
    if incident.closed_by == cause:
        await _sync_mark(incident.id)
    await publish_pending(incident)


async def _sync_mark(incident: str) -> None:
    """Have the graph list the cause exactly while its incident is open.

    Another program may open or close it between the reading and the mark, so it is read again.
    """
    stored = await ReadIncident(incident)
    while stored is not None:
        is_open = stored.is_open
        await MarkCause(stored.mark, on=is_open)
        stored = await ReadIncident(incident)
        if stored is not None and stored.is_open == is_open:
            return


async def watch_run(run_id: str, indexes: Iterable[int]) -> None:
    """Have completions of these task runs noticed, also late ones of a cancelled run."""
    wanted = set(indexes)
    run = await ReadRun(run_id) if wanted else None
    while run is not None and not wanted <= set(run.watched):
        watched = tuple(sorted({*run.watched, *wanted}))
        # Its cause stays: who wrote its state last may have to publish that again.
        new = replace(run, watched=watched, version=run.version + 1)
        run = (await write_run(new, run)) or new


async def watch_what_opened(snapshot: RunSnapshot, *, since: float) -> None:
    """Have a run watch what has opened since its graph was read, if that is long ago.

    The timer of such an incident may have looked for runs before this one was stored or opened.
    What has completed in it meanwhile is noticed, too.
    """
    now = await Now()
    if now - since <= GRAPH_VALID_S:
        return
    graph, run_id = await ReadGraph(), snapshot.run.id
    indexes = watched_tasks(snapshot.plan, graph.watched)
    await watch_run(run_id, indexes)
    for index, fact in (await ReadTasks(run_id, indexes, fresh=True)).items():
        if fact.is_completed:
            await SendIncidentNotice(
                CompletionNotice(run_id, index, fact.attempt, fact.dispatched_at)
            )


async def change_incident(
    incident: str, change: Callable[[Incident | None, float], Incident | None]
) -> Incident | None:
    """Write what `change` makes of the stored incident; it returns None to leave it as it is.

    What an earlier write made is published first. Returns the incident as it is then, or None if it
    was never opened.
    """
    stored = await ReadIncident(incident)
    while True:
        if stored is not None:
            stored = await publish_pending(stored)
        now = await Now()
        new = change(stored, now)
        if new is None:
            return stored
        conflicting = await _write_incident(new, stored)
        if conflicting is None:
            return new
        stored = conflicting


async def _write_incident(new: Incident, seen: Incident | None) -> Incident | None:
    """Write an incident. Returns None, or the one that is stored instead."""
    stored = await WriteIncident(new, seen)
    return None if stored == new else stored
