"""Snooze: nothing more is published about an open incident until then, but its end.

Invariant: a command acts once, and each of its deliveries is answered (docs/rules.md, rule 19).
"""

from typing import Final

from cerebro.core.effects import Now, Publish
from cerebro.core.incidents.effects import ReadIncident
from cerebro.core.incidents.incident import Incident, snoozed
from cerebro.core.incidents.messages import snooze_answer
from cerebro.core.incidents.record import arm_publication, write_incident
from cerebro.core.messages import invocation_rejected, traceparent_of
from cordyna_core.contract.base import Problem
from cordyna_core.contract.envelope import Envelope
from cordyna_core.contract.incidents import SnoozeIncident

SNOOZE_MAX_S: Final = 30 * 24 * 3600.0


async def snooze_incident(envelope: Envelope) -> None:
    """Snooze an open incident, or refuse to."""
    command = envelope.message
    assert isinstance(command, SnoozeIncident)
    command_id = command.command_id or envelope.id
    until = command.until.timestamp()
    stored = await ReadIncident(command.incident)
    while stored is None or command_id not in stored.commands:
        now = await Now()
        problem = _problem(stored, command, until=until, now=now)
        if stored is None or problem is not None:
            await _refuse(envelope, command, problem or _unknown(command), now=now)
            return
        new = snoozed(stored, until, command_id)
        stored = (await write_incident(new, stored)) or new
    if stored.is_open and stored.is_dirty:
        await arm_publication(stored)
    now = await Now()
    await Publish((snooze_answer(stored, command_id, envelope.id, now=now),))


def _problem(
    stored: Incident | None, command: SnoozeIncident, *, until: float, now: float
) -> Problem | None:
    if stored is None:
        return _unknown(command)
    if not stored.is_open:
        text = f"incident {stored.id} is closed: there is nothing to snooze"
        return Problem(code="incident_closed", message=text)
    if until <= now:
        text = f"until {command.until.isoformat()} has passed: give a later time"
        return Problem(code="until_has_passed", message=text)
    if until > now + SNOOZE_MAX_S:
        text = f"until {command.until.isoformat()} is more than 30 days ahead: give an earlier time"
        return Problem(code="until_too_late", message=text)
    return None


def _unknown(command: SnoozeIncident) -> Problem:
    text = f"incident {command.incident} is not known: `dyna incidents` lists the open ones"
    return Problem(code="unknown_incident", message=text)


async def _refuse(
    envelope: Envelope, command: SnoozeIncident, problem: Problem, *, now: float
) -> None:
    refused = invocation_rejected(
        envelope.id, command.incident, [problem], now=now, traceparent=traceparent_of(envelope)
    )
    await Publish((refused,))
