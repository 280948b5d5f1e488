"""Incidents: what needs an owner, one of them, and a snooze."""

from cordyna_cli.wording.foreign_text import one_line
from cordyna_console.answers.reasons import printable_error
from cordyna_console.answers.refusals import refusal
from cordyna_console.console import Console
from cordyna_console.incident_models import IncidentList, SnoozeRequest
from cordyna_core.contract.incidents import SnoozeIncident
from cordyna_core.contract.time import utc
from cordyna_core.contract.views.incidents import IncidentView
from cordyna_core.errors import NotFound


def incident_list(console: Console, owner: str | None, *, closed: bool) -> IncidentList:
    """Return the incidents of an owner, or of all."""
    rows = console.engine.incidents(closed=closed)
    return IncidentList(rows=[_printable(row) for row in rows if owner in (None, row.owner)])


def incident(console: Console, incident_id: str) -> IncidentView:
    """Return one incident, open or closed. Raises NotFound."""
    for row in console.engine.incidents(closed=True):
        if row.incident == incident_id:
            return _printable(row)
    raise NotFound(
        f"there is no incident {incident_id}.", next="`dyna incidents --all` lists those kept"
    )


def _printable(incident: IncidentView) -> IncidentView:
    return incident.model_copy(
        update={"error": printable_error(incident.error), "summary": one_line(incident.summary)}
    )


def snooze(console: Console, incident_id: str, request: SnoozeRequest) -> None:
    """Snooze an incident. Raises Refusal with every problem."""
    # By cerebro's clock, which judges it.
    until = utc(console.engine.cerebro().now + request.for_s)
    command = SnoozeIncident(incident=incident_id, until=until, command_id=request.command_id)
    with console.trying("operate"):
        answer = console.engine.command(command, wait_s=console.wait_s)
    if answer is not None:
        what = f"incident {incident_id} cannot be snoozed."
        raise refusal(what, answer.problems, "dyna incidents")
