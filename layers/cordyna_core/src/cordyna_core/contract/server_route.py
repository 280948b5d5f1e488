"""A server's route: which events on the bus are meant for one task server.

Law: a server hears cerebro only, and of that only what names it, or names everybody.
"""

from typing import Any

from cordyna_core.contract.commands import CancelTask, DescribeServer, RunTask
from cordyna_core.contract.names import CEREBRO

EVERYBODY = "*"


def event_pattern(server: str) -> dict[str, Any]:
    """The EventBridge event pattern of the rule that leads to `server` (Amazon EventBridge event patterns)."""
    return {
        "source": [CEREBRO],
        "detail-type": [kind.__name__ for kind in (RunTask, CancelTask, DescribeServer)],
        "detail": {"server": [server, EVERYBODY]},
    }
