"""Events: what passed the bus as a table: time, sender, addressee, message, task and state.

Invariant: an event that cannot be read is shown, too, with the reason.
"""

from collections.abc import Callable, Sequence
from typing import Any, Final

from rich.text import Text

from cordyna_cli.render.layout.table import Cell, Column, aligned
from cordyna_cli.wording.foreign_text import one_line
from cordyna_cli.wording.format import compact_json, error_line, join_names, plural, time_of_day
from cordyna_core.contract.base import Message
from cordyna_core.contract.commands import (
    CancelRun,
    CancelTask,
    DescribeServer,
    InvokeTask,
    RetryRun,
    RunTask,
)
from cordyna_core.contract.declaration import ServerDeclared
from cordyna_core.contract.envelope import Envelope, MalformedEvent, open_envelope
from cordyna_core.contract.ids import CEREBRO, CLIENT, SCHEDULER, is_client, server_of
from cordyna_core.contract.state_updates import (
    DeclarationAccepted,
    DeclarationRejected,
    InvocationRejected,
    RunStateChanged,
    ServerStateChanged,
    TaskStateChanged,
)

_COLUMNS: Final = (
    Column("time (UTC)"),
    Column("sender", yields=2),
    Column(),
    Column("addressee", yields=2),
    Column("message", yields=1),
    Column("task/attempt", yields=3),
    Column("state, reason", yields=4),
)

_TYPICAL_WIDTHS: Final = (
    "00:00:00.000",
    "task-server-a",
    "→",
    "task-server-a",
    "DeclarationAccepted",
    "task-10/1",
    "",
)
"""Room for most events, so that columns seldom move while events pass."""

_OUTPUT_LENGTH_MAX: Final = 60

EVERYONE: Final = "everyone"
"""The addressee of a state update of cerebro."""

_STATE_STYLE: Final = {
    "completed": "green",
    "error": "bold red",
    "failing": "bold red",
    "started": "bold blue",
    "running": "bold blue",
    "queued": "cyan",
    "ready": "green",
}


def events_table(texts: Sequence[str], width: int | None = None) -> list[Text]:
    """One line an event, below a title."""
    return aligned(_COLUMNS, [event_cells(text) for text in texts], width)


class EventStream:
    """Events one by one, as they pass; a column grows when something longer comes."""

    def __init__(self, width: int | None = None) -> None:
        self._width = width
        self._longest: list[Cell] = list(_TYPICAL_WIDTHS)

    def title(self) -> Text:
        return self._line(None)

    def line(self, text: str) -> Text:
        return self._line(event_cells(text))

    def _line(self, cells: Sequence[Cell] | None) -> Text:
        rows = [self._longest] if cells is None else [self._longest, cells]
        lines = aligned(_COLUMNS, rows, self._width)
        if cells is not None:
            self._longest = [max(pair, key=len) for pair in zip(self._longest, cells, strict=True)]
            # The last column needs no room beside it.
            self._longest[-1] = ""
        return lines[0] if cells is None else lines[-1]


def event_cells(text: str) -> list[Cell]:
    """The cells of one event."""
    try:
        envelope = open_envelope(text)
    except MalformedEvent as malformed:
        return [
            "",
            "?",
            "",
            "",
            Text("unreadable", style="red"),
            "",
            Text(f"{one_line(str(malformed))}: {one_line(text)}", style="red"),
        ]
    message = envelope.message
    command = message.is_command
    return [
        Text(time_of_day(envelope.sent_at), style="dim"),
        _sender(envelope.source),
        Text("→" if command else "⇢", style="dim"),
        addressee(envelope),
        Text(type(message).__name__, style="bold" if command else ""),
        _task(message),
        _state_cell(message),
    ]


def addressee(envelope: Envelope) -> str:
    """The addressee of a message.

    A command has one. A server reports to cerebro; cerebro publishes to everyone, or answers the
    server or the client that it concerns.
    """
    match envelope.message:
        case (
            RunTask(server=server)
            | CancelTask(server=server)
            | DeclarationAccepted(server=server)
            | DeclarationRejected(server=server)
        ):
            return server
        case DescribeServer(server=server):
            return "every server" if server == "*" else server
        case InvocationRejected():
            return "client"
        case _ if envelope.source == CEREBRO:
            return EVERYONE
        case _:
            return "cerebro"


def _sender(source: str) -> str:
    short = {CEREBRO: "cerebro", CLIENT: "client", SCHEDULER: "scheduler"}
    if source in short:
        return short[source]
    return server_of(source) or (
        source.removeprefix("cordyna.") if is_client(source) else one_line(source) or "?"
    )


def _task(message: Message) -> str:
    task, attempt = getattr(message, "task", ""), getattr(message, "attempt", None)
    return f"{task}/{attempt}" if attempt is not None else str(task)


def _state_cell(message: Message) -> Text:
    return _STATE_CELLS[type(message)](message)


def _state(state: str, *more: str) -> Text:
    return Text.assemble(
        (state, _STATE_STYLE.get(state, "")), *(f" {one_line(word)}" for word in more if word)
    )


def _task_state(message: TaskStateChanged) -> Text:
    error = error_line(message.error) if message.error else ""
    share = f"{message.progress:.0%}" if message.progress is not None else ""
    return _state(
        message.state,
        message.reason or "",
        error,
        share,
        message.message or "",
        _output(message.output),
    )


def _output(output: Any) -> str:
    """A small output as it is; of a large one its size. `show` has the whole."""
    text = compact_json(output) if output is not None else ""
    return (
        text
        if len(text) <= _OUTPUT_LENGTH_MAX
        else f"with an output of {len(text.encode()):,} bytes"
    )


def _run_state(message: RunStateChanged) -> Text:
    causes = [f"{cause.task} {cause.reason}" for cause in message.root_causes]
    return _state(
        message.state,
        join_names(causes),
        f"({plural(message.blocked, 'task')} blocked)" if message.blocked else "",
    )


def _invoke(message: InvokeTask) -> Text:
    words = (
        compact_json(message.params) if message.params else "",
        f"key {one_line(message.key)}" if message.key else "",
        f"for {message.scheduled_at:%Y-%m-%d %H:%M}Z" if message.scheduled_at else "",
    )
    return Text(" ".join(filter(None, words)))


def _problems(message: DeclarationRejected | InvocationRejected) -> Text:
    return Text(one_line("; ".join(problem.message for problem in message.problems)), style="red")


_STATE_CELLS: Final[dict[type[Message], Callable[[Any], Text]]] = {
    InvokeTask: _invoke,
    CancelRun: lambda _message: Text(),
    RetryRun: lambda message: Text(f"from {join_names(message.from_)}" if message.from_ else ""),
    RunTask: lambda message: Text(f"answer by {time_of_day(message.ack_by)[:8]}", style="dim"),
    CancelTask: lambda _message: Text(),
    DescribeServer: lambda _message: Text(),
    ServerDeclared: lambda message: Text(plural(len(message.tasks), "task")),
    ServerStateChanged: lambda message: _state(message.state),
    TaskStateChanged: _task_state,
    RunStateChanged: _run_state,
    DeclarationAccepted: lambda message: Text(f"generation {message.generation}"),
    DeclarationRejected: _problems,
    InvocationRejected: _problems,
}
