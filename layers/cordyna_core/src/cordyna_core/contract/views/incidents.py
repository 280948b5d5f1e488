"""Views of incidents: what needs an owner, and what waits for it.

Invariant: a view has the fields of the events, and whether the incident is open.
"""

from typing import Literal

from pydantic import Field

from cordyna_core.contract.base import ErrorDescription, Part, no_items
from cordyna_core.contract.ids import RunId
from cordyna_core.contract.incidents import BlockedTask, IncidentId, IncidentKind
from cordyna_core.contract.time import Instant


class IncidentView(Part):
    """One incident as it is now. Its fields are those of the events `IncidentOpened` and so on."""

    incident: IncidentId
    state: Literal["open", "closed"]
    kind: IncidentKind
    task: str | None = None
    server: str | None = None
    owner: str | None = None
    reason: str | None = None
    error: ErrorDescription | None = None
    run_id: RunId | None = None
    opened_at: Instant
    closed_at: Instant | None = None
    times: int = 1
    snoozed_until: Instant | None = None
    blocked: list[BlockedTask] = Field(default_factory=no_items)
    waiting_owners: list[str] = Field(default_factory=no_items)
    next: str = ""
    summary: str = ""
    summary_for_blocked: str = ""
    commands: list[str] = Field(default_factory=no_items, exclude=True)
    """The ids of the last commands that were applied to it."""
