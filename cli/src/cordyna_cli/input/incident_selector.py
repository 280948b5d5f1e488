"""Incident selector: what may be typed for an incident: its id, or the beginning of it."""

from cordyna_cli.engine import Engine
from cordyna_core.contract.views.incidents import IncidentView
from cordyna_core.errors import NotFound, UserError

_MATCHES_SHOWN_MAX = 5
SHORTEST = 4
"""A shorter word is not looked for among incidents where it may mean something else."""


def resolve_incident(engine: Engine, typed: str) -> IncidentView:
    """Return the incident that is meant. Raises NotFound, and UserError where several begin so."""
    matches = incidents_beginning_with(engine, typed)
    if not matches:
        raise NotFound(
            f'there is no incident "{typed}".',
            next="`dyna incidents --all` lists those that are kept",
        )
    if len(matches) > 1:
        raise UserError(
            f'"{typed}" is the beginning of {len(matches)} incidents.',
            why="\n".join(view.incident for view in matches[:_MATCHES_SHOWN_MAX]),
            next="type more of it",
        )
    return matches[0]


def incidents_beginning_with(engine: Engine, typed: str) -> list[IncidentView]:
    """Return the incidents whose ids begin so, open or closed."""
    prefix = typed.upper()
    return [view for view in engine.incidents(closed=True) if view.incident.startswith(prefix)]
