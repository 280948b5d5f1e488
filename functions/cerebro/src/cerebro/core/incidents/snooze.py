"""Snooze: nothing more is published about an open incident until then, but its end.

Invariant: a command acts once, and each of its deliveries is answered (docs/rules.md, rule 19).
"""

from cerebro.core.effects import Now, Publish
from cerebro.core.incidents.incident import Incident, snoozed
from cerebro.core.incidents.messages import snooze_answer
from cerebro.core.incidents.record import arm_publication, change_incident
from cerebro.core.refusal import refuse
from cordyna_core.contract.base import Problem
from cordyna_core.contract.envelope import Envelope
from cordyna_core.contract.incidents import SnoozeIncident
from cordyna_core.contract.refusals import incident_closed, snooze_problem, unknown_incident
from cordyna_core.contract.time import utc


async def snooze_incident(envelope: Envelope) -> None:
    """Snooze an open incident, or refuse to."""
    command = envelope.message
    assert isinstance(command, SnoozeIncident)
    command_id = command.command_id or envelope.id
    until = command.until.timestamp()
    problem: Problem | None = None

    def applied(stored: Incident | None, now: float) -> Incident | None:
        nonlocal problem
        if stored is not None and command_id in stored.commands:
            return None
        problem = _problem(stored, command, now=now)
        return snoozed(stored, until, command_id) if stored and problem is None else None

    stored = await change_incident(command.incident, applied)
    if stored is None or problem is not None:
        problem = problem or unknown_incident(command.incident)
        await refuse(envelope, command.incident, [problem])
        return
    if stored.is_open and stored.is_dirty:
        await arm_publication(stored)
    now = await Now()
    await Publish((snooze_answer(stored, command_id, envelope.id, now=now),))


def _problem(stored: Incident | None, command: SnoozeIncident, *, now: float) -> Problem | None:
    if stored is None:
        return unknown_incident(command.incident)
    if not stored.is_open:
        return incident_closed(stored.id)
    return snooze_problem(command.until, utc(now))
