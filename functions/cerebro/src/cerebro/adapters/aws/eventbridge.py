"""EventBridge: where cerebro publishes on AWS.

Law: after `publish` returns, every message was accepted by the bus, each under its own id. What cerebro may not say is
refused here, because emulators take it. A cron tick's invocation is said as the scheduler: it is no order of cerebro's.
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
    """Implements the CerebroBus port on the library's bus. `sleep` (seconds) is slept on before what failed is sent again."""

    def __init__(self, client: Any, bus: str, sleep: Callable[[float], None]) -> None:
        self._as = {
            source: EventBridgeBus(client, bus=bus, source=source, pause=sleep)
            for source in (CEREBRO, SCHEDULER)
        }

    def publish(self, messages: Sequence[Message]) -> None:
        """Raises Fatal for what can never be published, ServiceError when the bus keeps refusing, and what botocore raises."""
        said: dict[str, list[Message]] = {source: [] for source in self._as}
        for message in messages:
            said[_speaker(message)].append(message)
        for source, those in said.items():
            self._as[source].publish(those)


def _speaker(message: Message) -> str:
    source = SCHEDULER if isinstance(message, InvokeTask) else CEREBRO
    if not may_send(source, message):
        raise Fatal(f"{source!r} may not say {type(message).__name__}")
    if message.meta is None or message.meta.id is None:
        raise Fatal(
            f"a {type(message).__name__} without an id could not be told from another when it is sent twice"
        )
    return source
