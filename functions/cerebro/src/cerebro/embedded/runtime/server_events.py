"""Server events: what the driver reports as the servers that it runs.

Invariant: an id is derived from what is reported and when, so one report is one event.
"""

from collections.abc import Iterable
from typing import Literal

from cerebro.embedded.runtime.message_loop import MessageLoop
from cordyna_core.contract.base import Message, meta_at
from cordyna_core.contract.envelope import seal
from cordyna_core.contract.ids import content_id, server_source
from cordyna_core.contract.state_updates import ServerStateChanged
from cordyna_core.contract.time import utc


def server_event(server: str, message: Message, now: float, cause: str | None = None) -> str:
    """Return the event with which `server` reports `message`."""
    event_id = content_id(type(message).__name__, server, message.model_dump_json(), str(now))
    dated = message.model_copy(update={"meta": meta_at(now, event_id, cause)})
    return seal(dated, server_source(server), event_id, utc(now))


def report_servers(
    loop: MessageLoop, servers: Iterable[str], state: Literal["ready", "stopped"], now: float
) -> None:
    """Report the state of each server, and process it at once."""
    for server in servers:
        changed = ServerStateChanged(server=server, state=state)
        loop.process_now(server_event(server, changed, now))
