"""Event line: one event of the bus as words: who to whom, which message, about what.

Invariant: an event that cannot be read gives a line with the reason, never an exception.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from cordyna_cli.wording.foreign_text import one_line
from cordyna_cli.wording.format import compact_json, error_line, join_names, plural
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
from cordyna_core.contract.envelope import Envelope, MalformedEvent, open_envelope
from cordyna_core.contract.ids import CEREBRO, CLIENT, SCHEDULER, is_client, server_of
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

UNREADABLE: Final = "unreadable"
OUTPUT_CHARACTERS_MAX: Final = 60

_TO_ONE_SERVER: Final = (
    RunTask,
    CancelTask,
    DeclarationAccepted,
    DeclarationIgnored,
    DeclarationRejected,
    ServerRemoved,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class EventLine:
    """One event. `at` None: it could not be read."""

    at: datetime | None = None
    sender: str
    receiver: str = ""
    message: str
    is_command: bool = False
    task: str | None = None
    attempt: int | None = None
    detail: str


def event_line(text: str) -> EventLine:
    """Return the line of one event as it passed the bus."""
    try:
        envelope = open_envelope(text)
    except MalformedEvent as malformed:
        return EventLine(sender="?", message=UNREADABLE, detail=one_line(str(malformed)))
    message = envelope.message
    attempt = getattr(message, "attempt", None)
    return EventLine(
        at=envelope.time if message.meta is None else message.meta.time or envelope.time,
        sender=_sender(envelope.source),
        receiver=_receiver(envelope),
        message=type(message).__name__,
        is_command=message.is_command,
        task=getattr(message, "task", None),
        attempt=attempt if isinstance(attempt, int) else None,
        detail=one_line(_DETAIL.get(type(message), _no_detail)(message)),
    )


def _sender(source: str) -> str:
    short = {CEREBRO: "cerebro", CLIENT: "client", SCHEDULER: "scheduler"}
    if source in short:
        return short[source]
    own = source.removeprefix("cordyna.") if is_client(source) else one_line(source)
    return server_of(source) or own or "?"


def _receiver(envelope: Envelope) -> str:
    """A command has one; a server reports to cerebro; cerebro to everyone, or to who asked."""
    message = envelope.message
    if isinstance(message, DescribeServer):
        return "every server" if message.server == "*" else message.server
    if isinstance(message, _TO_ONE_SERVER):
        return message.server
    if isinstance(message, InvocationRejected):
        return message.by_task or "client"
    return "everyone" if envelope.source == CEREBRO else "cerebro"


def _no_detail(_message: Message) -> str:
    return ""


def _invoke(message: InvokeTask) -> str:
    when = f"for {message.scheduled_at:%Y-%m-%d %H:%M}Z" if message.scheduled_at else ""
    params = compact_json(message.params) if message.params else ""
    return " ".join(filter(None, (params, f"key {message.key}" if message.key else "", when)))


def _task_state(message: TaskStateChanged) -> str:
    output = compact_json(message.output) if message.output is not None else ""
    if len(output) > OUTPUT_CHARACTERS_MAX:
        output = f"with an output of {len(output.encode()):,} bytes"
    words = (
        message.state,
        message.reason or "",
        error_line(message.error) if message.error else "",
        f"{message.progress:.0%}" if message.progress is not None else "",
        message.message or "",
        output,
    )
    return " ".join(filter(None, words))


def _run_state(message: RunStateChanged) -> str:
    causes = [f"{cause.task} {cause.reason}" for cause in message.root_causes]
    blocked = f"({plural(message.blocked, 'task')} blocked)" if message.blocked else ""
    return " ".join(filter(None, (message.state, join_names(causes), blocked)))


def _problems(message: DeclarationRejected | InvocationRejected) -> str:
    return "; ".join(problem.message for problem in message.problems)


_DETAIL: Final[dict[type[Message], Callable[[Any], str]]] = {
    InvokeTask: _invoke,
    CancelRun: lambda _: "",
    RetryRun: lambda message: f"from {join_names(message.from_)}" if message.from_ else "",
    RunTask: lambda message: f"answer by {message.ack_by:%H:%M:%SZ}",
    CancelTask: lambda message: f"nothing of attempt {message.attempt} may run on",
    DescribeServer: lambda _: "",
    ServerDeclared: lambda message: plural(len(message.tasks), "task"),
    ServerStateChanged: lambda message: message.state,
    TaskStateChanged: _task_state,
    RunStateChanged: _run_state,
    DeclarationAccepted: lambda message: f"generation {message.generation}",
    DeclarationRejected: _problems,
    DeclarationIgnored: lambda message: (
        f"revision {message.revision} is older than {message.accepted_revision}"
    ),
    ServerRemoved: lambda message: f"generation {message.generation}",
    RemoveServer: lambda message: "",
    InvocationRejected: _problems,
    IncidentOpened: lambda message: message.summary or message.kind,
    IncidentChanged: lambda message: message.summary or message.kind,
    IncidentClosed: lambda message: message.summary or message.kind,
    SnoozeIncident: lambda message: f"until {message.until:%Y-%m-%d %H:%M}Z",
    GraphChanged: lambda message: f"generation {message.generation}",
}
"""The others have only a name."""
