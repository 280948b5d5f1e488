"""Events: what passed the bus as a table: sender, addressee, message, task and state.

Invariant: an event that cannot be read is shown, too, with the reason.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

from rich.text import Text

from cordyna_cli.render.layout.table import Cell, Column, aligned
from cordyna_cli.wording.event_line import UNREADABLE, EventLine, event_line
from cordyna_cli.wording.foreign_text import one_line
from cordyna_cli.wording.format import time_of_day

_COLUMNS: Final = (
    Column("time (UTC)"),
    Column("sender", yields=4),
    Column("addressee", yields=5),
    Column("message"),
    Column("task/attempt", yields=1),
    Column("state, reason", yields=3, prose="wrap"),
)

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
    """Return one line an event, below a title; by time, and at one time in the order given."""
    return aligned(_COLUMNS, [_cells(text, line) for text, line in _by_time(texts)], width)


def _by_time(texts: Sequence[str]) -> list[tuple[str, EventLine]]:
    """Return each event with its line; one that cannot be read stays behind the one before it."""
    last = datetime.min.replace(tzinfo=UTC)
    placed = []
    for text in texts:
        line = event_line(text)
        last = last if line.at is None else line.at
        placed.append((last, text, line))
    return [(text, line) for _, text, line in sorted(placed, key=lambda item: item[0])]


def _cells(text: str, line: EventLine) -> tuple[Cell, ...]:
    if line.message == UNREADABLE:
        reason = f"{line.detail}: {one_line(text)}"
        return "", "?", "", Text(UNREADABLE, style="red"), "", Text(reason, style="red")
    arrow = "→" if line.is_command else "⇢"
    return (
        Text("" if line.at is None else time_of_day(line.at), style="dim"),
        line.sender,
        Text.assemble((arrow, "dim"), f" {line.receiver}"),
        Text(line.message, style="bold" if line.is_command else ""),
        _task(line),
        _detail(line),
    )


def _task(line: EventLine) -> str:
    if line.task is None:
        return ""
    return line.task if line.attempt is None else f"{line.task}/{line.attempt}"


def _detail(line: EventLine) -> Text:
    """The state that a message begins with has its colour."""
    state, _, rest = line.detail.partition(" ")
    style = _STATE_STYLE.get(state, "") if line.message.endswith("StateChanged") else ""
    return Text.assemble((state, style), f" {rest}" if rest else "")
