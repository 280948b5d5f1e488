"""Event: one event of the bus as a program reads it.

Invariant: an event that cannot be read is an Event, too: without a message, and with its text.
"""

from dataclasses import dataclass
from datetime import datetime

from cordyna_core.contract.base import Message
from cordyna_core.contract.envelope import MalformedEvent, open_envelope
from cordyna_core.contract.views.runs import PassedEvent


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One event as it passed the bus.

    `seq` increases in the order in which they passed. `source`, `at` and `message` are None for an
    event that is not valid.
    """

    seq: int
    text: str
    source: str | None = None
    at: datetime | None = None
    message: Message | None = None

    @property
    def type(self) -> str | None:
        """The name of the message: `TaskStateChanged`."""
        return None if self.message is None else type(self.message).__name__


def event_of(passed: PassedEvent) -> Event:
    """Return the event that passed, opened if it is valid."""
    try:
        envelope = open_envelope(passed.text)
    except MalformedEvent:
        return Event(seq=passed.seq, text=passed.text)
    return Event(
        seq=passed.seq,
        text=passed.text,
        source=envelope.source,
        at=envelope.sent_at,
        message=envelope.message,
    )
