"""Incident queries: views of incidents, read from the store.

Invariant: reads only.
"""

from cerebro.core.incidents.incident import Incident
from cerebro.core.incidents.messages import blocked_task
from cerebro.core.incidents.wording import next_command, summary, summary_for_blocked
from cerebro.ports import Store
from cordyna_core.contract.time import utc
from cordyna_core.contract.views.incidents import IncidentView


def incidents(store: Store, *, closed: bool = False) -> list[IncidentView]:
    """Return the open incidents, the newest first; with `closed`, all that are kept."""
    stored = [incident for incident in store.incidents() if closed or incident.is_open]
    stored.sort(key=lambda incident: -incident.opened_at)
    return [incident_view(incident) for incident in stored]


def incident_view(incident: Incident) -> IncidentView:
    """Return the view of an incident."""
    closed_at, until = incident.closed_at, incident.snoozed_until
    return IncidentView(
        incident=incident.id,
        state="open" if incident.is_open else "closed",
        kind=incident.kind,
        task=incident.task,
        server=incident.server,
        owner=incident.owner,
        reason=incident.reason,
        error=incident.error,
        run_id=incident.run_id,
        opened_at=utc(incident.opened_at),
        closed_at=None if closed_at is None else utc(closed_at),
        times=incident.times,
        snoozed_until=None if until is None else utc(until),
        blocked=[blocked_task(blocked) for blocked in incident.blocked],
        waiting_owners=incident.waiting_owners,
        next=next_command(incident),
        summary=summary(incident),
        summary_for_blocked=summary_for_blocked(incident),
        commands=list(incident.commands),
    )
