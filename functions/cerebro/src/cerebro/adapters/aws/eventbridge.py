"""The CerebroBus port on AWS: EventBridge.

Invariant: after `publish` returns, the bus has accepted every message, each under its own id. What
cerebro may not send is refused here, because emulators accept it. The invocation of a cron tick is
sent with the scheduler's source.
"""

from collections.abc import Callable, Sequence
from typing import Any

from cordyna_core.aws.eventbridge import EventBridgeBus
from cordyna_core.contract.base import Message
from cordyna_core.contract.commands import InvokeTask
from cordyna_core.contract.ids import CEREBRO, SCHEDULER
from cordyna_core.contract.registry import may_send
from cordyna_core.errors import Fatal


class EventBridge:
    """Implements the CerebroBus port on the library's bus.

    `sleep` (seconds) is called before failed entries are sent again.
    """

    def __init__(self, client: Any, bus: str, sleep: Callable[[float], None]) -> None:
        self._buses = {
            source: EventBridgeBus(client, bus=bus, source=source, pause=sleep)
            for source in (CEREBRO, SCHEDULER)
        }

    def publish(self, messages: Sequence[Message]) -> None:
        """Put the messages on the bus.

        Raises Fatal for a message that can never be published, ServiceError if the bus keeps
        refusing, and what botocore raises.
        """
        by_source: dict[str, list[Message]] = {source: [] for source in self._buses}
        for message in messages:
            by_source[_source_of(message)].append(message)
        for source, group in by_source.items():
            self._buses[source].publish(group)


def _source_of(message: Message) -> str:
    source = SCHEDULER if isinstance(message, InvokeTask) else CEREBRO
    if not may_send(source, message):
        raise Fatal(f"{source!r} may not send {type(message).__name__}")
    if message.meta is None or message.meta.id is None:
        raise Fatal(
            f"{type(message).__name__} has no id: readers could not recognize its duplicates"
        )
    return source
