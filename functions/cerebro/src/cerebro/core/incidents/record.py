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

Who puts or takes a mark looks afterwards whether the incident is still as it was read.

Invariant: who wins the write publishes, and the same input publishes again (docs/rules.md, rule
19).
"""

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Final

from cerebro.core.effects import Now, Publish, ReadRun, ReadTask
from cerebro.core.incidents.effects import (
    MarkCause,
    ReadIncident,
    SendIncidentTimer,
    WriteIncident,
)
from cerebro.core.incidents.incident import (
    CHANGED_INTERVAL_S,
    Evidence,
    Failure,
    Incident,
    closed,
    with_completion,
    with_evidence,
)
from cerebro.core.incidents.messages import incident_changed, incident_closed, incident_opened
from cerebro.core.incidents.notices import IncidentTimer
from cerebro.core.run.dispatch import CLOCK_SKEW_MARGIN_S
from cerebro.core.run.run_access import write_run

SETTLE_S: Final = 600.0
"""How long after its opening an incident looks for completions that no mark could show.

Longer than a handler may take: a run that was planned before the graph listed the cause is stored
by then.
"""


async def record(evidence: Evidence, *, cause: str) -> None:
    """Open the incident of this evidence, or count it, and watch for its end."""
    stored = await _update(
        evidence.incident,
        lambda incident, now: with_evidence(incident, evidence, cause=cause, now=now),
    )
    if stored is not None:
        await _follow(stored, evidence.failure, evidence.key, cause=cause)


async def resume(incident: str, failure: Failure, *, cause: str) -> None:
    """Do what follows from evidence that this very cause recorded, and that is gone since.

    Its first delivery may have crashed before it published that.
    """
    stored = await ReadIncident(incident)
    if stored is not None and cause in (stored.opened_by, stored.changed_by, stored.closed_by):
        await _follow(stored, failure, stored.dirty_by, cause=cause)


async def _follow(
    incident: Incident, failure: Failure | None, key: str | None, *, cause: str
) -> None:
    """Watch for the end of an incident, publish it, and look whether it has ended already.

    `key`: that of the evidence which is handled. Only the evidence that made it dirty arms its
    publication, also when it is delivered again.
    """
    if not incident.is_open:
        await finish_closing(incident, cause=cause)
        return
    await _sync_mark(incident.id)
    if failure is not None:
        await watch_run(failure.run_id, (failure.index,))
    await _publish(incident, cause)
    await _arm(incident, key, cause=cause)
    if failure is not None:
        await note_if_completed(incident.id, failure, cause=cause)


async def _publish(incident: Incident, cause: str) -> None:
    now = await Now()
    if incident.opened_by == cause:
        await Publish((incident_opened(incident, now=now),))
    elif incident.changed_by == cause:
        await Publish((incident_changed(incident, now=now),))


async def _arm(incident: Incident, key: str | None, *, cause: str) -> None:
    if incident.opened_by == cause:
        await SendIncidentTimer(IncidentTimer(incident.id, incident.opened_at + SETTLE_S))
    if incident.is_dirty and key == incident.dirty_by and await _is_settled(incident):
        await arm_publication(incident)


async def _is_settled(incident: Incident) -> bool:
    """Whether the timer of the opening may have fired. Until then, it arms what has changed.

    So fifty tasks that fail at once send no timer each. Asked after the change was written: what
    the timer reads contains it.
    """
    return await Now() >= incident.opened_at + SETTLE_S - CLOCK_SKEW_MARGIN_S


async def arm_publication(incident: Incident) -> None:
    """Have the incident looked at when what has changed may be published."""
    due = max(incident.published_at + CHANGED_INTERVAL_S, incident.snoozed_until or 0.0)
    await SendIncidentTimer(IncidentTimer(incident.id, due))


async def note_if_completed(incident: str, failure: Failure, *, cause: str) -> None:
    """Count the task run as completed if it is. Read after its run was marked."""
    fact = await ReadTask(failure.run_id, failure.index, fresh=True)
    if fact is not None and fact.is_completed:
        completed = Failure(failure.run_id, failure.index, fact.attempt)
        await note_completion(incident, completed, fact.dispatched_at, cause=cause)


async def note_completion(
    incident: str, completed: Failure, dispatched_at: float, *, cause: str
) -> None:
    """Close the incident, or drop what the completion has healed."""

    def changed(stored: Incident | None, now: float) -> Incident | None:
        if stored is None:
            return None
        return with_completion(stored, completed, dispatched_at, cause=cause, now=now)

    stored = await _update(incident, changed)
    if stored is not None:
        await finish_closing(stored, cause=cause)


async def close_if_opened_before(incident: str, at: float, *, cause: str) -> None:
    """Close the incident if it was opened before `at` (UTC seconds)."""

    def changed(stored: Incident | None, now: float) -> Incident | None:
        if stored is None or not stored.is_open or stored.opened_at >= at:
            return None
        return closed(stored, cause=cause, now=now)

    stored = await _update(incident, changed)
    if stored is not None:
        await finish_closing(stored, cause=cause)


async def finish_closing(incident: Incident, *, cause: str) -> None:
    """Take the mark away and publish, if this cause closed the incident."""
    if incident.is_open or incident.closed_by != cause:
        return
    await _sync_mark(incident.id)
    now = await Now()
    await Publish((incident_closed(incident, now=now),))


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


async def _update(
    incident: str, change: Callable[[Incident | None, float], Incident | None]
) -> Incident | None:
    """Write what `change` makes of the stored incident; it returns None to leave it as it is.

    Returns the incident as it is then, or None if it was never opened.
    """
    stored = await ReadIncident(incident)
    while True:
        now = await Now()
        new = change(stored, now)
        if new is None:
            return stored
        conflicting = await write_incident(new, stored)
        if conflicting is None:
            return new
        stored = conflicting


async def write_incident(new: Incident, seen: Incident | None) -> Incident | None:
    """Write an incident. Returns None, or the one that is stored instead."""
    stored = await WriteIncident(new, seen)
    return None if stored == new else stored
