"""Registry: every message of the contract, one row each: who may send it, and who receives it.

Invariant: this table is the only place that says so. The routes of cerebro's queues, the IAM
statements of every role, the published schemas and the table in docs/contract/README.md are derived
from it.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import Final

from cordyna_core.contract.base import Message
from cordyna_core.contract.commands import (
    CancelRun,
    CancelTask,
    DescribeServer,
    InvokeTask,
    RemoveServer,
    RetryRun,
    RunTask,
)
from cordyna_core.contract.declaration import ServerDeclared
from cordyna_core.contract.ids import (
    CEREBRO,
    CLIENT,
    SCHEDULER,
    SERVER_PREFIX,
    is_client,
    server_of,
)
from cordyna_core.contract.incidents import (
    GraphChanged,
    IncidentChanged,
    IncidentClosed,
    IncidentOpened,
    SnoozeIncident,
)
from cordyna_core.contract.state_updates import (
    DeclarationAccepted,
    DeclarationIgnored,
    DeclarationRejected,
    InvocationRejected,
    RunStateChanged,
    ServerRemoved,
    ServerStateChanged,
    TaskStateChanged,
)


class Sender(StrEnum):
    """The classes of senders; `source` tells them apart."""

    CLIENT = "client"
    SERVER = "server"
    SCHEDULER = "scheduler"
    CEREBRO = "cerebro"


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageSpec:
    """One message of the contract.

    Fields:
        to: the queue of cerebro that receives it from senders other than cerebro, if any.
        published_by: the functions of cerebro that publish it.
        to_servers: whether task servers receive it.
        by_deployment: whether a server's deployment sends it, and never a body of the server.
        meaning: for the documents.
    """

    kind: type[Message]
    senders: tuple[Sender, ...]
    to: str | None = None
    published_by: tuple[str, ...] = ()
    to_servers: bool = False
    by_deployment: bool = False
    meaning: str

    @property
    def detail_type(self) -> str:
        return self.kind.__name__


_CLIENT, _SERVER, _SCHEDULER, _CEREBRO = Sender
_RUN_FUNCTIONS: Final = ("planner", "tracker", "timekeeper")
_INCIDENT_FUNCTIONS: Final = ("incidents", "timekeeper")

REGISTRY: Final = (
    MessageSpec(
        kind=InvokeTask,
        senders=(_CLIENT, _SERVER, _SCHEDULER),
        to="planner",
        published_by=("timekeeper",),
        meaning="run this task, with its whole upstream closure",
    ),
    MessageSpec(kind=CancelRun, senders=(_CLIENT, _SERVER), to="planner", meaning="end a run now"),
    MessageSpec(
        kind=RetryRun,
        senders=(_CLIENT, _SERVER),
        to="planner",
        meaning="give what failed in a run a new attempt",
    ),
    MessageSpec(
        kind=ServerDeclared,
        senders=(_SERVER,),
        to="registry",
        meaning="these are all my tasks",
    ),
    MessageSpec(
        kind=RemoveServer,
        senders=(_CLIENT, _SERVER),
        to="registry",
        by_deployment=True,
        meaning="the server is gone for good: remove its declaration",
    ),
    MessageSpec(
        kind=ServerStateChanged,
        senders=(_SERVER,),
        to="registry",
        meaning="I am ready, draining or stopped",
    ),
    MessageSpec(
        kind=TaskStateChanged,
        senders=(_SERVER, _CEREBRO),
        to="tracker",
        published_by=_RUN_FUNCTIONS,
        meaning="this attempt is queued, started, completed or in error",
    ),
    MessageSpec(
        kind=RunTask,
        senders=(_CEREBRO,),
        published_by=_RUN_FUNCTIONS,
        to_servers=True,
        meaning="to one server: run this attempt",
    ),
    MessageSpec(
        kind=CancelTask,
        senders=(_CEREBRO,),
        published_by=_RUN_FUNCTIONS,
        to_servers=True,
        meaning="to one server: stop this attempt if it can be stopped",
    ),
    MessageSpec(
        kind=DescribeServer,
        senders=(_CEREBRO, _CLIENT),
        published_by=("sweeper",),
        to_servers=True,
        meaning="to one server, or to all (`*`): declare yourself again",
    ),
    MessageSpec(
        kind=RunStateChanged,
        senders=(_CEREBRO,),
        published_by=_RUN_FUNCTIONS,
        meaning="the state of a whole run",
    ),
    MessageSpec(
        kind=DeclarationAccepted,
        senders=(_CEREBRO,),
        published_by=("registry",),
        meaning="the graph now holds your tasks",
    ),
    MessageSpec(
        kind=DeclarationRejected,
        senders=(_CEREBRO,),
        published_by=("registry",),
        meaning="the graph does not take your tasks, and why",
    ),
    MessageSpec(
        kind=DeclarationIgnored,
        senders=(_CEREBRO,),
        published_by=("registry",),
        meaning="a newer revision of yours is accepted, with other tasks",
    ),
    MessageSpec(
        kind=ServerRemoved,
        senders=(_CEREBRO,),
        published_by=("registry",),
        meaning="the graph holds no declaration of yours",
    ),
    MessageSpec(
        kind=InvocationRejected,
        senders=(_CEREBRO,),
        published_by=("planner", "timekeeper", "incidents"),
        meaning="this command was refused, and why",
    ),
    MessageSpec(
        kind=SnoozeIncident,
        senders=(_CLIENT,),
        to="incidents",
        meaning="publish nothing more about this incident until then, but its end",
    ),
    MessageSpec(
        kind=IncidentOpened,
        senders=(_CEREBRO,),
        published_by=_INCIDENT_FUNCTIONS,
        meaning="a cause needs its owner",
    ),
    MessageSpec(
        kind=IncidentChanged,
        senders=(_CEREBRO,),
        published_by=_INCIDENT_FUNCTIONS,
        meaning="it happened again, or was snoozed",
    ),
    MessageSpec(
        kind=IncidentClosed,
        senders=(_CEREBRO,),
        published_by=_INCIDENT_FUNCTIONS,
        meaning="the cause is gone",
    ),
    MessageSpec(
        kind=GraphChanged,
        senders=(_CEREBRO,),
        published_by=("registry",),
        meaning="a declaration changed the graph: what was added, removed, changed",
    ),
)

MESSAGES: Final[dict[str, type[Message]]] = {spec.detail_type: spec.kind for spec in REGISTRY}
"""Every message of the contract by its `detail-type`."""

COMMANDS_TO_CEREBRO: Final = frozenset(
    spec.detail_type for spec in REGISTRY if spec.to is not None and spec.kind.is_command
)
"""The detail-types of the commands that cerebro answers, even when they are malformed."""

# Tuples: a set would call the hash function of Sender, which is slow, for every message.
_SENDERS: Final = {spec.kind: spec.senders for spec in REGISTRY}


@lru_cache(maxsize=1024)
def sender_of(source: str) -> Sender | None:
    """Return the class of a `source`; None if the contract does not know it."""
    if server_of(source) is not None:
        return Sender.SERVER
    if is_client(source):
        return Sender.CLIENT
    return {SCHEDULER: Sender.SCHEDULER, CEREBRO: Sender.CEREBRO}.get(source)


def may_send(source: str, message: Message) -> bool:
    """Return whether `source` may send `message`; a server only what is about itself."""
    sender = sender_of(source)
    if sender is None or sender not in _SENDERS[type(message)]:
        return False
    # Of its fields: to ask a model for an attribute that it lacks takes longer than all of this.
    server = vars(message).get("server")
    return sender is not Sender.SERVER or server in (None, server_of(source))


def why_may_not_send(source: str, message: Message) -> str:
    """Return why `source` may not send `message`, for a person. Ask `may_send` first."""
    sender, name = sender_of(source), type(message).__name__
    if sender is None:
        known = f"{CLIENT}, {CLIENT}.<name>, {SERVER_PREFIX}<name> or {SCHEDULER}"
        return f"{source!r} may not send {name}: the source of an event is {known}"
    senders = _SENDERS[type(message)]
    if sender not in senders:
        allowed = " or ".join(f"cordyna.{other}" for other in senders)
        return f"{source!r} may not send {name}: only {allowed} does"
    server = vars(message).get("server")
    return f"{source!r} may not send {name} of {server!r}: a server sends what is about itself"


def sent_by(sender: Sender) -> tuple[str, ...]:
    """Return the detail-types that a class of senders may send to cerebro in its daily work."""
    return _detail_types(spec for spec in _to_cerebro(sender) if not spec.by_deployment)


def sent_by_deployment(sender: Sender) -> tuple[str, ...]:
    """Return the detail-types that only the deployment of a sender may send to cerebro."""
    return _detail_types(spec for spec in _to_cerebro(sender) if spec.by_deployment)


def detail_types_of(sender: Sender) -> tuple[str, ...]:
    """Return every detail-type that a class of senders may send, to anyone."""
    return _detail_types(spec for spec in REGISTRY if sender in spec.senders)


def _to_cerebro(sender: Sender) -> Iterable[MessageSpec]:
    return (spec for spec in REGISTRY if sender in spec.senders and spec.to)


def published_by(function: str) -> tuple[str, ...]:
    """Return the detail-types that a function of cerebro publishes."""
    return _detail_types(spec for spec in REGISTRY if function in spec.published_by)


def received_by(queue: str) -> tuple[MessageSpec, ...]:
    """Return the messages that a queue of cerebro receives."""
    return tuple(spec for spec in REGISTRY if spec.to == queue)


def for_servers() -> tuple[str, ...]:
    """Return the detail-types that a task server receives."""
    return _detail_types(spec for spec in REGISTRY if spec.to_servers)


def _detail_types(specs: Iterable[MessageSpec]) -> tuple[str, ...]:
    return tuple(spec.detail_type for spec in specs)


def is_misspelt_by_client(source: str, detail_type: str) -> bool:
    """Return whether a client sent no message of this contract: a typo, or a newer one."""
    return is_client(source) and detail_type not in MESSAGES
