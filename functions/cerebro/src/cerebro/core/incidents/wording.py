"""Wording: what people read about an incident: one line for its owner, one for those who wait.

Invariant: a line says what happened, and names the next command or that there is nothing to do.
"""

from collections.abc import Callable
from typing import Final

from cerebro.core.incidents.incident import Incident
from cordyna_core.contract.incidents import IncidentKind

_SUMMARY: Final[dict[IncidentKind, Callable[[Incident], str]]] = {
    "failed": lambda i: f"{i.task} failed{_times(i)}{_error(i)}",
    "deadline": lambda i: f"{i.task} is not completed in time{_times(i)}{_message(i)}",
    "missed_cron": lambda i: f"a run of {i.task} by its cron never began{_times(i)}{_error(i)}",
    "unresponsive": lambda i: f"server {i.server} does not acknowledge commands{_times(i)}",
    "rejected_declaration": lambda i: (
        f"a declaration of {i.server} was rejected{_times(i)}{_error(i)}"
    ),
}

_NEXT: Final[dict[IncidentKind, Callable[[Incident], str]]] = {
    "failed": lambda i: f"dyna logs {i.run_id} {i.task}",
    "deadline": lambda i: f"dyna show {i.run_id}" if i.run_id else f"dyna do {i.task}",
    "missed_cron": lambda i: f"dyna do {i.task}",
    "unresponsive": lambda _: "dyna servers",
    "rejected_declaration": lambda _: "dyna plan --declare FILE",
}


def summary(incident: Incident) -> str:
    """Return one line for the owner of the cause."""
    line = _SUMMARY[incident.kind](incident)
    return line if incident.is_open else f"over: {line}"


def summary_for_blocked(incident: Incident) -> str:
    """Return one line for the owners of what waits for the cause."""
    whom = incident.owner or incident.server or "its owner"
    return f"waits for {whom}; nothing to do ({summary(incident)})"


def next_command(incident: Incident) -> str:
    """Return the command that the owner types next."""
    return _NEXT[incident.kind](incident)


def _times(incident: Incident) -> str:
    return f" ({incident.times} times)" if incident.times > 1 else ""


def _message(incident: Incident) -> str:
    return f": {incident.error.message}" if incident.error is not None else ""


def _error(incident: Incident) -> str:
    if incident.error is None:
        return f" ({incident.reason})" if incident.reason else ""
    error = incident.error
    # One line: a message may be a whole report.
    message = error.message.partition("\n")[0][:300]
    return f": {error.type}: {message}" if error.type and message else f": {error.type}{message}"
