"""Incidents: what cerebro publishes about a cause that needs its owner, and how it is snoozed.

Invariant: an incident is one cause, a task or a server with a kind. The same cause has the same id
for ever, and is open at most once at a time (docs/rules.md, rule 19).
"""

from typing import Literal

from pydantic import Field

from cordyna_core.contract.base import ErrorDescription, Message, Part, no_items
from cordyna_core.contract.commands import Command
from cordyna_core.contract.ids import Name, RunId, derived_id
from cordyna_core.contract.json_values import Whole
from cordyna_core.contract.limits import MAX_COMMAND_ID_CHARS
from cordyna_core.contract.time import Instant

IncidentKind = Literal["failed", "deadline", "missed_cron", "unresponsive", "rejected_declaration"]
TaskKind = Literal["failed", "deadline", "missed_cron"]
ServerKind = Literal["unresponsive", "rejected_declaration"]

IncidentId = RunId
"""26 Crockford characters, derived from the cause."""


def incident_id(kind: IncidentKind, subject: str) -> str:
    """Return the id of the incident of a task or server: the same cause, the same incident."""
    of_server = kind in ("unresponsive", "rejected_declaration")
    return derived_id("incident", "server" if of_server else "task", subject, kind)


class BlockedTask(Part):
    """A task that waits for the cause of an incident; its owner has nothing to do."""

    task: Name
    server: str
    owner: str | None = None
    due: Instant | None = Field(None, description="When it has to be completed, if it says so.")


class IncidentMessage(Message):
    """From cerebro: an incident as it is now."""

    incident: IncidentId
    kind: IncidentKind
    task: str | None = Field(None, description="The task that is the cause; none: its server is.")
    server: str | None = None
    owner: str | None = Field(None, description="Who has to act.")
    reason: str | None = None
    error: ErrorDescription | None = None
    run_id: RunId | None = Field(None, description="The newest run that shows it.")
    opened_at: Instant
    times: Whole = Field(1, ge=1, description="How often it has happened since it was opened.")
    snoozed_until: Instant | None = None
    blocked: list[BlockedTask] = Field(
        default_factory=no_items, description="What waits for it, of the newest run."
    )
    waiting_owners: list[str] = Field(
        default_factory=no_items, description="The owners of what waits, without the owner above."
    )
    next: str = Field("", description="The command that its owner types next.")
    summary: str = Field("", description="One line for the owner.")
    summary_for_blocked: str = Field("", description="One line for the owners of what waits.")


class IncidentOpened(IncidentMessage):
    """From cerebro: a cause needs its owner."""


class IncidentChanged(IncidentMessage):
    """From cerebro: it happened again, or it was snoozed. At most every 30 minutes by itself."""


class IncidentClosed(IncidentMessage):
    """From cerebro: the cause is gone."""


class SnoozeIncident(Command):
    """To cerebro: publish nothing more about an open incident until then, but its end."""

    incident: IncidentId
    until: Instant
    command_id: str | None = Field(
        None,
        min_length=1,
        max_length=MAX_COMMAND_ID_CHARS,
        description="The same id acts once. Default: the event's id.",
    )


class GraphChanged(Message):
    """From cerebro: a declaration has changed the graph. Lists name at most 1,000 tasks each."""

    generation: Whole
    server: Name = Field(description="The server that declared itself, or was removed.")
    added: list[Name] = Field(default_factory=no_items)
    removed: list[Name] = Field(default_factory=no_items)
    changed: list[Name] = Field(default_factory=no_items)
    affected: list[Name] = Field(
        default_factory=no_items, description="Tasks of others that are downstream of these."
    )
