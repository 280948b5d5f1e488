"""Dispatch: which queue receives a message, and which program answers it, in two tables.

The rules on AWS are generated from `ROUTES`, which is derived from the registry of the contract.

Invariant: this file decides nothing about a run. What a command of a run is sent by is in
core/run/dispatch.py.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from cerebro.core.cron import ticks
from cerebro.core.declaration import handlers as declaration
from cerebro.core.effects import Program
from cerebro.core.incidents import causes, deadlines, notice_handlers, snooze
from cerebro.core.incidents.notices import (
    CompletionNotice,
    DeadlineTimer,
    FailureNotice,
    IncidentTimer,
    ServerNotice,
)
from cerebro.core.internal_messages import FanOut, InternalMessage, OverdueCheck, PageTimer, Tick
from cerebro.core.run import invoke, overdue_check, page_check, task_updates
from cerebro.core.run.cancel_run import cancel_run
from cerebro.core.run.retry_run import retry_run
from cordyna_core.contract.base import Message
from cordyna_core.contract.commands import CancelRun, InvokeTask, RemoveServer, RetryRun
from cordyna_core.contract.declaration import ServerDeclared
from cordyna_core.contract.envelope import Envelope
from cordyna_core.contract.ids import CEREBRO, CLIENT, SCHEDULER, SERVER_PREFIX
from cordyna_core.contract.incidents import SnoozeIncident
from cordyna_core.contract.registry import Sender, received_by
from cordyna_core.contract.state_updates import (
    DeclarationRejected,
    InvocationRejected,
    RunStateChanged,
    ServerStateChanged,
    TaskStateChanged,
)

_PATTERNS: Final = {
    Sender.CLIENT: (CLIENT, CLIENT + "."),
    Sender.SCHEDULER: (SCHEDULER,),
    Sender.SERVER: (SERVER_PREFIX,),
}
"""The event patterns of a class of senders: a prefix where it ends in a dot, else exact.

What cerebro publishes goes to no queue of its own, except for what OBSERVED lists.
"""


@dataclass(frozen=True, slots=True)
class Route:
    """What one queue of cerebro receives from the bus; `sources` are event patterns.

    `where`: fields of the detail that must have one of these values.
    """

    handler: str
    sources: tuple[str, ...]
    detail_types: tuple[str, ...]
    where: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

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


ROUTES: Final = (
    _route("registry"),
    _route("planner"),
    _route("tracker"),
    _route("incidents"),
)

OBSERVED: Final = (
    Route("incidents", (CEREBRO,), ("RunStateChanged",), {"state": ("failing", "error")}),
    Route("incidents", (CEREBRO,), ("TaskStateChanged",), {"reason": ("ack_timeout",)}),
    Route("incidents", (CEREBRO,), ("DeclarationRejected", "InvocationRejected")),
)
"""What cerebro observes of its own messages: what may need an owner. No ordinary run makes any."""

_OBSERVED_WHERE: Final = {name: route.where for route in OBSERVED for name in route.detail_types}
"""The same by detail-type; each has one route."""

OBSERVATIONS: Final[dict[type[Message], Callable[[Envelope], Program]]] = {
    RunStateChanged: causes.on_run_state,
    TaskStateChanged: causes.on_unacknowledged,
    DeclarationRejected: causes.on_declaration_rejected,
    InvocationRejected: causes.on_invocation_rejected,
}
"""The program that answers each observed message of cerebro."""

REACTIONS: Final[dict[type[Message], Callable[[Envelope], Program]]] = {
    ServerDeclared: declaration.server_declared,
    ServerStateChanged: declaration.server_state_changed,
    RemoveServer: declaration.remove_server,
    InvokeTask: invoke.invoke_task,
    CancelRun: cancel_run,
    RetryRun: retry_run,
    TaskStateChanged: task_updates.task_state_changed,
    SnoozeIncident: snooze.snooze_incident,
}
"""The program that answers each message of the bus."""


INTERNAL: Final[dict[type, Callable[[Any], Program]]] = {
    PageTimer: page_check.on_page_timer,
    OverdueCheck: overdue_check.on_overdue_check,
    FanOut: task_updates.resume_fan_out,
    Tick: ticks.on_tick,
    CompletionNotice: notice_handlers.on_completion,
    FailureNotice: notice_handlers.on_failure,
    ServerNotice: notice_handlers.on_server,
    IncidentTimer: notice_handlers.on_incident_timer,
    DeadlineTimer: deadlines.on_deadline,
}
"""The program that answers each message of cerebro to itself."""


def handler_of(source: str, detail_type: str) -> str | None:
    """Return the queue that receives such an event; None: none does."""
    return next((route.handler for route in ROUTES if route.matches(source, detail_type)), None)


def is_observed(message: Message) -> bool:
    """Return whether the handler of incidents receives this message of cerebro."""
    where = _OBSERVED_WHERE.get(type(message).__name__)
    return where is not None and all(
        getattr(message, field) in values for field, values in where.items()
    )


def program_for(message: Envelope | InternalMessage) -> Program | None:
    """Return the program that answers a message; None for what cerebro does not receive."""
    if not isinstance(message, Envelope):
        return INTERNAL[type(message)](message)
    is_own = message.source == CEREBRO and is_observed(message.message)
    reactions = OBSERVATIONS if is_own else REACTIONS
    reaction = reactions.get(type(message.message))
    return reaction(message) if reaction else None
