"""Receive: a batch of messages in, effects out. The registry, the planner and the tracker are this, each with its own queue.

Law: a message is acknowledged only after all its effects. What can never be handled is buried with its reason; what
failed for now stays unacknowledged and is delivered again; neither holds up the rest of its batch.
"""

import logging
from collections.abc import Iterable
from dataclasses import dataclass, field

from cerebro.adapters.internal_codec import decode_internal
from cerebro.core.declaration.handlers import refuse_malformed
from cerebro.core.effects import FanOut, PageTimer, Program, Tick
from cerebro.dispatch import program_for
from cerebro.shell import Ports, perform
from cordyna_core.contract.envelope import Envelope, MalformedEvent, open_envelope
from cordyna_core.contract.registry import may_send
from cordyna_core.errors import Fatal

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Delivery:
    """One message as its queue delivered it; `receipt` names it when the batch is answered, `sent_at` is when the queue was given it."""

    receipt: str
    body: str
    sent_at: float | None = None


@dataclass(slots=True)
class Outcome:
    """What became of a batch: the receipts to deliver again, and those that can never be handled, with the reason."""

    again: list[str] = field(default_factory=list)
    dead_letters: list[tuple[Delivery, str]] = field(default_factory=list)


def receive(batch: Iterable[Delivery], ports: Ports) -> Outcome:
    """React to each message of the batch."""
    outcome = Outcome()
    for delivery in batch:
        try:
            reason = _handle(delivery, ports)
        except Exception:
            _log.exception("message %s failed and will be delivered again", delivery.receipt)
            outcome.again.append(delivery.receipt)
        else:
            if reason is not None:
                outcome.dead_letters.append((delivery, reason))
    return outcome


def _handle(delivery: Delivery, ports: Ports) -> str | None:
    """React to one message; why it can never be handled, or None when it was."""
    try:
        perform_one(open_delivery(delivery.body, delivery.sent_at), ports)
    except (MalformedEvent, Fatal) as never:
        answer_malformed(never, ports)
        return str(never)
    return None


def answer_malformed(never: Exception, ports: Ports) -> None:
    """Tell the sender of something that is of no form, as far as it can be told who that is."""
    if isinstance(never, MalformedEvent) and never.raw is not None:
        perform(refuse_malformed(never.raw, never.problems), ports)


def open_delivery(body: str, sent_at: float | None = None) -> Envelope | PageTimer | FanOut | Tick:
    """An event of the bus, or one of cerebro's own messages. Raises MalformedEvent."""
    return decode_internal(body, sent_at) or open_envelope(body)


def perform_one(message: Envelope | PageTimer | FanOut | Tick, ports: Ports) -> None:
    """React to one message. Raises Fatal when it can never be handled, and whatever a port raises."""
    program = program_of(message)
    if program is not None:
        perform(program, ports)


def program_of(message: Envelope | PageTimer | FanOut | Tick) -> Program | None:
    """What answers one message, not yet begun; None: nothing does. Raises Fatal when its sender may not say it."""
    if isinstance(message, Envelope) and not may_send(message.source, message.message):
        raise Fatal(
            f"{message.source!r} may not say {type(message.message).__name__} (of this server)"
        )
    return program_for(message)
