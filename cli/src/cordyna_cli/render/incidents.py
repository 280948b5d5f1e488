"""Incidents: a table of them, and one with its reasons."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from rich.text import Text

from cordyna_cli.render.layout.paragraph import wrapped
from cordyna_cli.render.layout.table import Column, aligned
from cordyna_cli.wording.foreign_text import one_line, printable
from cordyna_cli.wording.format import ago, join_names, moment
from cordyna_core.contract.incidents import BlockedTask
from cordyna_core.contract.views.incidents import IncidentView

_INCIDENTS: Final = (
    Column("incident"),
    Column("owner", yields=1),
    Column("opened", yields=3),
    Column("what", yields=2, prose="wrap"),
    Column("waits for it", yields=4, prose="wrap"),
)
_WAITING_SHOWN_MAX: Final = 10


def incidents_table(
    incidents: Sequence[IncidentView], now: datetime, width: int | None = None
) -> list[Text]:
    """Return a line for each incident; a closed or snoozed one says so."""
    rows = [
        (
            incident.incident,
            one_line(incident.owner or incident.server or ""),
            ago(incident.opened_at, now),
            Text(f"{one_line(_cause(incident))}{_state(incident, now)}", _style(incident)),
            join_names([blocked.task for blocked in incident.blocked]),
        )
        for incident in incidents
    ]
    return aligned(_INCIDENTS, rows, width)


def _cause(incident: IncidentView) -> str:
    """Return what happened; that it is over is said beside it."""
    return incident.summary.removeprefix("over: ")


def _style(incident: IncidentView) -> str:
    return "bold red" if incident.state == "open" else "dim"


def _state(incident: IncidentView, now: datetime) -> str:
    if incident.closed_at is not None:
        return f" (closed {ago(incident.closed_at, now)})"
    if incident.snoozed_until is not None:
        return f" (snoozed until {moment(incident.snoozed_until, now)})"
    return ""


def incident_lines(incident: IncidentView, now: datetime, width: int | None = None) -> list[Text]:
    """Return one incident: what happened, its owner, what waits for it, what to type next."""
    sign = "✗" if incident.state == "open" else "✓"
    details = [
        f"opened {ago(incident.opened_at, now)}{_state(incident, now)}",
        f"owner: {one_line(incident.owner or 'none is declared')}"
        + (f" (server {incident.server})" if incident.server else ""),
        *map(_waits, incident.blocked[:_WAITING_SHOWN_MAX]),
    ]
    if len(incident.blocked) > _WAITING_SHOWN_MAX:
        details.append(f"and {len(incident.blocked) - _WAITING_SHOWN_MAX} more wait for it")
    traceback = incident.error.traceback if incident.error is not None else None
    text = [
        Text.assemble((sign, _style(incident)), " ", (one_line(_cause(incident)), "bold")),
        *(Text(f"  {detail}") for detail in details),
        *(Text(f"    {printable(line)}", style="dim") for line in (traceback or "").splitlines()),
    ]
    commands = [f"  next: {incident.next}"]
    if incident.state == "open" and incident.snoozed_until is None:
        commands.append(f"  later: dyna snooze {incident.incident} 2h")
    return [
        *(part for line in text for part in wrapped(line, width)),
        *(Text(command, style="cyan") for command in commands),
    ]


def _waits(blocked: BlockedTask) -> str:
    of = one_line(blocked.owner or blocked.server)
    due = "" if blocked.due is None else f", due {blocked.due:%Y-%m-%d %H:%M}Z"
    return f"{blocked.task} ({of}{due}) waits for it"
