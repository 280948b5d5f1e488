"""Heard: an event of the bus as a task server hears it.

Law: a server is commanded by cerebro only. The rule that leads here lets nobody else through; this is the second look.
"""

from typing import Any

from pydantic import ValidationError

from cordyna_core.contract.envelope import (
    Envelope,
    MalformedEvent,
    RawEnvelope,
    open_raw,
    problems_of,
)
from cordyna_core.contract.ids import CEREBRO
from cordyna_core.contract.registry import may_send
from cordyna_core.errors import Fatal

Event = dict[str, Any]


def is_request_to_declare(event: Event | None) -> bool:
    """`{"declare": true}`; or nothing at all, which is what a CDK trigger calls with after a deployment."""
    return not event or event == {"declare": True}


def parse_command_event(event: Event) -> Envelope:
    """Raises MalformedEvent, and Fatal when cerebro did not say it."""
    try:
        raw = RawEnvelope.model_validate(event)
    except ValidationError as invalid:
        raise MalformedEvent(problems_of(invalid, "malformed_event")) from invalid
    envelope = open_raw(raw)
    if envelope.source != CEREBRO or not may_send(envelope.source, envelope.message):
        raise Fatal(f"{envelope.source!r} does not command task servers")
    return envelope
