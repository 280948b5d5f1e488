"""Log lines: what tasks printed, as lines of a terminal.

Invariant: what a task printed is never cut, and no control sequence of it reaches the terminal.
"""

from collections.abc import Sequence
from typing import Final

from rich.text import Text

from cordyna_cli.wording.foreign_text import printable
from cordyna_cli.wording.format import join_names, time_of_day
from cordyna_core.contract.views.runs import LogLine

_TASKS_NAMED_MAX: Final = 3

SHARED_SIGN: Final = "┆"
_STREAM_SIGNS: Final = {"stdout": "│", "stderr": "!", "log": "·", "shared": SHARED_SIGN}


class LogLines:
    """Renders lines batch by batch; the column of the tasks grows when a longer name comes.

    `│` printed, `!` on stderr, `·` logged, `┆` by a thread or process while several tasks ran: kept
    with each of them, shown once.
    """

    def __init__(self) -> None:
        self.has_lines, self.has_shared = False, False
        self._names_columns = 0

    def render(self, lines: Sequence[LogLine]) -> list[Text]:
        """When, which task and attempt, how, what. What was printed is never cut."""
        groups = _grouped(lines)
        self.has_lines |= bool(groups)
        self.has_shared |= any(group[0].stream == "shared" for group in groups)
        names = [
            join_names([f"{line.task}/{line.attempt}" for line in group], _TASKS_NAMED_MAX)
            for group in groups
        ]
        self._names_columns = max([self._names_columns, *map(len, names)])
        return [self._line(group[0], name) for group, name in zip(groups, names, strict=True)]

    def _line(self, line: LogLine, name: str) -> Text:
        text = printable(line.text).rstrip("\n")
        return Text.assemble(
            (time_of_day(line.at), "dim"),
            f"  {name.ljust(self._names_columns)}  ",
            (_STREAM_SIGNS[line.stream], "dim"),
            " ",
            (text, "red" if line.stream == "stderr" else ""),
        )


def _grouped(lines: Sequence[LogLine]) -> list[list[LogLine]]:
    """Return each line by itself, but the copies of a shared line together."""
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
