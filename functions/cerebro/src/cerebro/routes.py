"""Routes: who hears what. This table is the whole of it; the rules on AWS are generated from it.

A handler's queue is fed by one rule. `sources` are event pattern values: a prefix where it ends in a dot, else exact.
"""

from dataclasses import dataclass
from typing import Final

from cordyna_core.contract.names import CLIENT, SCHEDULER, SERVER_PREFIX


@dataclass(frozen=True, slots=True)
class Route:
    """What one handler hears from the bus."""

    handler: str
    sources: tuple[str, ...]
    detail_types: tuple[str, ...]

    def hears(self, source: str, detail_type: str) -> bool:
        """Whether an event of `source` and `detail_type` goes to this handler."""
        return detail_type in self.detail_types and any(
            source.startswith(known) if known.endswith(".") else source == known for known in self.sources
        )


ROUTES: Final = (
    Route("registry", (SERVER_PREFIX,), ("ServerDeclared", "ServerStateChanged")),
    Route("planner", (CLIENT, CLIENT + ".", SCHEDULER, SERVER_PREFIX), ("InvokeTask", "CancelRun", "RetryRun")),
    Route("tracker", (SERVER_PREFIX,), ("TaskStateChanged",)),
)


def handler_of(source: str, detail_type: str) -> str | None:
    """The handler that hears such an event, if any does."""
    return next((route.handler for route in ROUTES if route.hears(source, detail_type)), None)
