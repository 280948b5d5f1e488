"""Loop items: what waits in a message loop: events of the bus, and cerebro's messages to itself."""

from dataclasses import replace

from cerebro.adapters.internal_codec import encode_internal
from cerebro.core.internal_messages import InternalMessage, OverdueCheck, PageTimer
from cerebro.core.run.invoke import invocation_key
from cordyna_core.contract.commands import InvokeTask
from cordyna_core.contract.envelope import Envelope
from cordyna_core.contract.ids import run_id_of

Item = str | InternalMessage
"""An event of the bus, or a message of cerebro to itself."""


def shifted(item: Item, seconds: float) -> Item:
    """Return a waiting message with its times moved."""
    if isinstance(item, PageTimer):
        return replace(item, due=item.due + seconds)
    if isinstance(item, OverdueCheck):
        return replace(item, asked_at=item.asked_at + seconds)
    return item


def text_of(item: Item) -> str:
    """Return an item as text.

    A page timer without its time: one dead letter for all timers of a page.
    """
    if isinstance(item, str):
        return item
    if isinstance(item, PageTimer):
        return encode_internal(PageTimer(item.run_id, item.page, 0.0))
    return encode_internal(item)


def run_of(envelope: Envelope) -> str | None:
    """Return the run that an event is about.

    An invocation names the run that it starts or joins.
    """
    message = envelope.message
    if isinstance(message, InvokeTask):
        return run_id_of(message.task, invocation_key(message, envelope), envelope.source)
    return getattr(message, "run_id", None)
