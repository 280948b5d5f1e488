"""Log lines: what tasks printed, as lines of a terminal."""

from collections.abc import Sequence
from typing import Final

from rich.text import Text

from cordyna_cli.render.layout.table import Column, aligned
from cordyna_cli.wording.format import join_names, printable, time_of_day
from cordyna_core.contract.views.runs import LogLine

_COLUMNS: Final = (Column(), Column(yields=1), Column())
_TASKS_NAMED_MAX: Final = 3

SHARED_SIGN: Final = "┆"
_STREAM_SIGNS: Final = {"stdout": "│", "stderr": "!", "log": "·", "shared": SHARED_SIGN}


def log_lines(lines: Sequence[LogLine]) -> list[Text]:
    """When, which task and attempt, how, what. What was printed is never cut.

    `│` printed, `!` on stderr, `·` logged, `┆` by a thread or process while several tasks ran: kept
    with each of them, shown once.
    """
    rows = [
        (
            Text(time_of_day(group[0].at), style="dim"),
            join_names([f"{line.task}/{line.attempt}" for line in group], _TASKS_NAMED_MAX),
            Text.assemble((_STREAM_SIGNS[group[0].stream], "dim"), " ", _text(group[0])),
        )
        for group in _grouped(lines)
    ]
    return aligned(_COLUMNS, rows)


def _grouped(lines: Sequence[LogLine]) -> list[list[LogLine]]:
    """Each line by itself, but the copies of a shared line together."""
    groups: list[list[LogLine]] = []
    for line in lines:
        last = groups[-1] if groups else []
        is_same = line.stream == "shared" and any(
            (line.stream, line.text) == (other.stream, other.text) for other in last
        )
        attempts = [(other.task, other.attempt) for other in last]
        if is_same and (line.task, line.attempt) not in attempts:
            last.append(line)
        else:
            groups.append([line])
    return groups


def _text(line: LogLine) -> Text:
    return Text(printable(line.text).rstrip("\n"), style="red" if line.stream == "stderr" else "")
