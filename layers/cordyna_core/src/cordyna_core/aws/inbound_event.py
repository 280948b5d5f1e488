"""Inbound events: an event of the bus as a task server receives it.

Invariant: only cerebro commands a server. The rule on the bus lets no other source through; this is
the second check.
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
    """Return whether it is `{"declare": true}`, or nothing.

    A CDK trigger after a deployment sends nothing.
    """
    return not event or event == {"declare": True}


def parse_command_event(event: Event) -> Envelope:
    """Read a command of cerebro.

    Raises:
        MalformedEvent: it is not of the contract.
        Fatal: its source is not cerebro.
    """
    try:
        raw = RawEnvelope.model_validate(event)
    except ValidationError as invalid:
        raise MalformedEvent(problems_of(invalid, "malformed_event")) from invalid
    envelope = open_raw(raw)
    if envelope.source != CEREBRO or not may_send(envelope.source, envelope.message):
        raise Fatal(f"{envelope.source!r} may not send commands to task servers")
    return envelope
