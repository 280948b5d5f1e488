"""A server's route: which events on the bus are meant for one task server.

Law: a server hears cerebro only, and of that only what names it, or names everybody.
"""

from typing import Any

from cordyna_core.contract.ids import CEREBRO
from cordyna_core.contract.registry import for_servers

EVERYBODY = "*"


def event_pattern(server: str) -> dict[str, Any]:
    """The EventBridge event pattern of the rule that leads to `server` (Amazon EventBridge event patterns)."""
    return {
        "source": [CEREBRO],
        "detail-type": list(for_servers()),
        "detail": {"server": [server, EVERYBODY]},
    }
