"""Messages about incidents, made from what is stored.

Invariant: the id of a message is derived from its content, so publishing it again is idempotent.
"""

from typing import Any

from cerebro.core.incidents.incident import Blocked, Incident
from cerebro.core.incidents.wording import next_command, summary, summary_for_blocked
from cordyna_core.contract.base import Meta, meta_at
from cordyna_core.contract.ids import derived_id
from cordyna_core.contract.incidents import (
    BlockedTask,
    IncidentChanged,
    IncidentClosed,
    IncidentOpened,
)
from cordyna_core.contract.time import utc


def incident_opened(incident: Incident, *, now: float) -> IncidentOpened:
    """Return that the incident was opened."""
    message_id = derived_id("IncidentOpened", incident.id, incident.episode)
    return IncidentOpened(**_fields(incident, _meta(incident, message_id, incident.opened_by, now)))


def incident_changed(incident: Incident, *, now: float) -> IncidentChanged:
    """Return that it happened again, or that a snooze ended."""
    message_id = derived_id("IncidentChanged", incident.id, incident.episode, incident.version)
    return IncidentChanged(
        **_fields(incident, _meta(incident, message_id, incident.changed_by, now))
    )


def snooze_answer(
    incident: Incident, command_id: str, event_id: str, *, now: float
) -> IncidentChanged:
    """Return the answer to a command that snoozed the incident; one for each event."""
    message_id = derived_id("answer", incident.id, command_id, event_id)
    return IncidentChanged(**_fields(incident, _meta(incident, message_id, event_id, now)))


def incident_closed(incident: Incident, *, now: float) -> IncidentClosed:
    """Return that the incident was closed."""
    message_id = derived_id("IncidentClosed", incident.id, incident.episode)
    return IncidentClosed(**_fields(incident, _meta(incident, message_id, incident.closed_by, now)))


def _meta(incident: Incident, message_id: str, cause: str | None, now: float) -> Meta:
    return meta_at(now, message_id, cause, incident.traceparent)


def _fields(incident: Incident, meta: Meta) -> dict[str, Any]:
    until = incident.snoozed_until
    return {
        "meta": meta,
        "incident": incident.id,
        "kind": incident.kind,
        "task": incident.task,
        "server": incident.server,
        "owner": incident.owner,
        "reason": incident.reason,
        "error": incident.error,
        "run_id": incident.run_id,
        "opened_at": utc(incident.opened_at),
        "times": incident.times,
        "snoozed_until": None if until is None else utc(until),
        "blocked": [blocked_task(blocked) for blocked in incident.blocked],
        "waiting_owners": incident.waiting_owners,
        "next": next_command(incident),
        "summary": summary(incident),
        "summary_for_blocked": summary_for_blocked(incident),
    }


def blocked_task(blocked: Blocked) -> BlockedTask:
    """Return a task that waits, as it is on the wire."""
    return BlockedTask(
        task=blocked.task,
        server=blocked.server,
        owner=blocked.owner,
        due=None if blocked.due is None else utc(blocked.due),
    )
