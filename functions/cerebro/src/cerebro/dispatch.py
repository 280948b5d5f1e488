"""Dispatch: which queue receives a message, and which program answers it, in two tables.

The rules on AWS are generated from `ROUTES`, which is derived from the registry of the contract.

Invariant: this file decides nothing about a run. What a command of a run is sent by is in
core/run/dispatch.py.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from cerebro.core.cron import ticks
from cerebro.core.declaration import handlers as declaration
from cerebro.core.effects import (
    FanOut,
    InternalMessage,
    OverdueCheck,
    PageTimer,
    Program,
    Tick,
)
from cerebro.core.run import cancel_retry, invoke, overdue_check, page_check, task_updates
from cordyna_core.contract.base import Message
from cordyna_core.contract.commands import CancelRun, InvokeTask, RemoveServer, RetryRun
from cordyna_core.contract.declaration import ServerDeclared
from cordyna_core.contract.envelope import Envelope
from cordyna_core.contract.ids import CLIENT, SCHEDULER, SERVER_PREFIX
from cordyna_core.contract.registry import Sender, received_by
from cordyna_core.contract.state_updates import ServerStateChanged, TaskStateChanged

_PATTERNS: Final = {
    Sender.CLIENT: (CLIENT, CLIENT + "."),
    Sender.SCHEDULER: (SCHEDULER,),
    Sender.SERVER: (SERVER_PREFIX,),
}
"""The event patterns of a class of senders: a prefix where it ends in a dot, else exact.

Cerebro routes none of its own messages to itself.
"""


@dataclass(frozen=True, slots=True)
class Route:
    """What one queue of cerebro receives from the bus; `sources` are event patterns."""

    handler: str
    sources: tuple[str, ...]
    detail_types: tuple[str, ...]

    def matches(self, source: str, detail_type: str) -> bool:
        """Return whether an event of `source` and `detail_type` goes to this queue."""
        return detail_type in self.detail_types and any(
            source.startswith(pattern) if pattern.endswith(".") else source == pattern
            for pattern in self.sources
        )


def _route(queue: str) -> Route:
    specs = received_by(queue)
    senders = {sender for spec in specs for sender in spec.senders}
    sources = (
        source for sender, patterns in _PATTERNS.items() if sender in senders for source in patterns
    )
    return Route(queue, tuple(sources), tuple(spec.detail_type for spec in specs))


ROUTES: Final = (_route("registry"), _route("planner"), _route("tracker"))

REACTIONS: Final[dict[type[Message], Callable[[Envelope], Program]]] = {
    ServerDeclared: declaration.server_declared,
    ServerStateChanged: declaration.server_state_changed,
    RemoveServer: declaration.remove_server,
    InvokeTask: invoke.invoke_task,
    CancelRun: cancel_retry.cancel_run,
    RetryRun: cancel_retry.retry_run,
    TaskStateChanged: task_updates.task_state_changed,
}
"""The program that answers each message of the bus."""


def handler_of(source: str, detail_type: str) -> str | None:
    """Return the queue that receives such an event; None: none does."""
    return next((route.handler for route in ROUTES if route.matches(source, detail_type)), None)


def program_for(message: Envelope | InternalMessage) -> Program | None:
    """Return the program that answers a message; None for what cerebro does not receive."""
    match message:
        case PageTimer():
            return page_check.on_page_timer(message)
        case OverdueCheck():
            return overdue_check.on_overdue_check(message)
        case FanOut():
            return task_updates.resume_fan_out(message)
        case Tick():
            return ticks.on_tick(message)
        case Envelope():
            reaction = REACTIONS.get(type(message.message))
            return reaction(message) if reaction else None
