"""Receive: handle a batch of messages. Registry, planner and tracker do this, one queue each.

Invariant: a message is acknowledged only after all of its effects. A message that can never be
handled becomes a dead letter with its reason. A message that failed stays unacknowledged and is
delivered again. Neither delays the rest of its batch.
"""

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace

from pydantic import ValidationError

from cerebro.adapters.internal_codec import decode_internal
from cerebro.core.declaration.handlers import refuse_malformed
from cerebro.core.effects import Program
from cerebro.core.internal_messages import InternalMessage
from cerebro.core.planning.redaction import kept_event, may_have_params
from cerebro.dispatch import program_for
from cerebro.ports import DamagedItem
from cerebro.shell import CheckTime, Ports, ProgramFailed, no_time_limit, perform
from cordyna_core.contract.base import Problem
from cordyna_core.contract.envelope import (
    Envelope,
    MalformedEvent,
    RawEnvelope,
    open_envelope,
)
from cordyna_core.contract.readable_update import readable_update
from cordyna_core.contract.registry import may_send, why_may_not_send
from cordyna_core.errors import CordynaError, Fatal

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Delivery:
    """A message as its queue delivered it.

    `receipt` identifies it in the batch's result; `sent_at` is when the queue received it.
    """

    receipt: str
    body: str
    sent_at: float | None = None


@dataclass(slots=True)
class BatchResult:
    """The result of a batch: receipts to deliver again, and dead letters with their reasons.

    `answered`: the receipts of those dead letters whose sender was sent every problem of them.
    """

    again: list[str] = field(default_factory=list)
    dead_letters: list[tuple[Delivery, str]] = field(default_factory=list)
    answered: set[str] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class _Rejection:
    """Why a message can never be handled, and whether its sender was sent its problems."""

    reason: str
    is_answered: bool = False


def receive(
    batch: Iterable[Delivery],
    ports: Ports,
    has_time: Callable[[], bool] = lambda: True,
    check_time: CheckTime = no_time_limit,
) -> BatchResult:
    """Handle each message of the batch.

    Once `has_time` returns False, no further one is begun, and once `check_time` raises, the one
    that is handled is given up: those are delivered again soon. A function that is killed would
    have its whole batch delivered minutes later, after the clocks of its commands.
    """
    outcome = BatchResult()
    for delivery in batch:
        if not has_time():
            outcome.again.append(delivery.receipt)
            continue
        try:
            rejection = _handle(delivery, ports, check_time)
            kept = delivery if rejection is None else _without_secrets(delivery, ports)
        except Exception:  # noqa: BLE001  it is logged, and the message delivered again
            _log.exception("message %s failed and will be delivered again", delivery.receipt)
            outcome.again.append(delivery.receipt)
        else:
            if rejection is not None:
                outcome.dead_letters.append((kept, rejection.reason))
                if rejection.is_answered:
                    outcome.answered.add(delivery.receipt)
    return outcome


def _without_secrets(delivery: Delivery, ports: Ports) -> Delivery:
    """Return a delivery whose body may be kept."""
    if not may_have_params(delivery.body):
        return delivery
    return replace(delivery, body=kept_event(delivery.body, ports.store.read_graph()))


def _handle(delivery: Delivery, ports: Ports, check_time: CheckTime) -> _Rejection | None:
    """Handle one message. Returns None, or why it can never be handled."""
    try:
        message = open_delivery(delivery.body, delivery.sent_at)
    except MalformedEvent as malformed:
        return _handle_malformed(malformed, ports, check_time)
    try:
        perform_one(message, ports, check_time)
    except Fatal as fatal:
        return _Rejection(str(fatal))
    except (ProgramFailed, DamagedItem) as failed:
        _log.exception("message %s can never be handled", delivery.receipt)
        _answer_failed(delivery, failed, ports)
        return _Rejection(
            f"it raised {failed}" if isinstance(failed, ProgramFailed) else str(failed)
        )
    return None


def _handle_malformed(malformed: MalformedEvent, ports: Ports, check_time: CheckTime) -> _Rejection:
    """Answer a malformed event. What can be read of an update counts, and it is kept all the same.

    A message that fails here is not delivered again: whatever it is, it can never be handled.
    """
    update = readable_update(malformed)
    try:
        if update is None:
            return _Rejection(str(malformed), is_answered=answer_malformed(malformed, ports))
        perform_one(update, ports, check_time)
    except (Fatal, ProgramFailed, DamagedItem) as failed:
        _log.exception("a malformed event could not be answered")
        return _Rejection(f"{malformed}; and what can be read of it was not handled: {failed}")
    return _Rejection(f"{malformed}; what can be read of it was handled")


def _answer_failed(delivery: Delivery, failed: CordynaError, ports: Ports) -> None:
    problem = Problem(
        code="not_handled",
        message=f"cerebro could not handle this message: {failed}. It is kept: `dyna dlq ls` shows"
        " it, `dyna dlq redrive` repeats it",
    )
    try:
        raw = RawEnvelope.model_validate_json(delivery.body)
    except ValidationError:
        return  # It is a message of cerebro to itself.
    try:
        perform(refuse_malformed(raw, [problem]), ports)
    except (ProgramFailed, DamagedItem):
        # What made it fail may also prevent the answer; the dead letter has both.
        _log.exception("the sender of message %s could not be answered", delivery.receipt)


def answer_malformed(malformed: MalformedEvent, ports: Ports) -> bool:
    """Send the problems of a malformed event to its sender. Returns whether it is identified."""
    if malformed.raw is None:
        return False
    perform(refuse_malformed(malformed.raw, malformed.problems), ports)
    return True


def open_delivery(body: str, sent_at: float | None = None) -> Envelope | InternalMessage:
    """Decode an event of the bus or an internal message. Raises MalformedEvent."""
    return decode_internal(body, sent_at) or open_envelope(body)


def perform_one(
    message: Envelope | InternalMessage, ports: Ports, check_time: CheckTime = no_time_limit
) -> None:
    """Handle one message.

    Raises Fatal if it can never be handled, and what a port or `check_time` raises.
    """
    program = program_of(message)
    if program is not None:
        perform(program, ports, check_time)


def program_of(message: Envelope | InternalMessage) -> Program | None:
    """Return the program for a message, not started; None if cerebro does not receive this type.

    Raises Fatal if the sender may not send it.
    """
    if isinstance(message, Envelope) and not may_send(message.source, message.message):
        raise Fatal(why_may_not_send(message.source, message.message))
    return program_for(message)
