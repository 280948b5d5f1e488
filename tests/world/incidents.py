"""Incidents of a world, in a few words: `["opened failed a", "closed failed a"]`."""

from collections.abc import Sequence
from typing import Any

from cerebro.core.incidents.incident import Incident
from cordyna_core.contract.base import Message
from cordyna_core.contract.incidents import IncidentMessage, incident_id
from world.world import World

Kind = Any


def incident_events(world: World[Any]) -> list[IncidentMessage]:
    """What was published about incidents, each event once, in order."""
    by_id = {
        message.meta.id: message
        for message in world.published
        if isinstance(message, IncidentMessage) and message.meta is not None
    }
    return list(by_id.values())


def events(world: World[Any]) -> list[str]:
    """What was published about incidents: what happened, the kind, and the task or server."""
    return [_line(event) for event in incident_events(world)]


def _line(event: IncidentMessage) -> str:
    what = type(event).__name__.removeprefix("Incident").lower()
    return f"{what} {event.kind} {event.task or event.server}"


def the_incident(world: World[Any], kind: Kind, subject: str) -> Incident:
    """The stored incident of a task or server."""
    incident = world.store.read_incident(incident_id(kind, subject))
    assert incident is not None
    return incident


def deliveries(messages: Sequence[Message], kind: type[Message]) -> int:
    """How often messages of this kind were published, repetitions included."""
    return sum(isinstance(message, kind) for message in messages)
