"""The route of a task server: which events on the bus it receives.

Invariant: a server receives messages of cerebro only, and only those that name it or all servers.
"""

from typing import Any, Final

from cordyna_core.contract.ids import CEREBRO
from cordyna_core.contract.registry import for_servers

ALL_SERVERS: Final = "*"
"""The `server` of a message for all of them."""


def event_pattern(server: str) -> dict[str, Any]:
    """Return the event pattern of the EventBridge rule whose target is `server`."""
    return {
        "source": [CEREBRO],
        "detail-type": list(for_servers()),
        "detail": {"server": [server, ALL_SERVERS]},
    }
