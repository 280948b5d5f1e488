"""Dev: what happens on a home, line by line, for the person at `dyna dev`.

Invariant: every line has the time, and the run and the task where it is about one. What happened is
never cut: a line that is too long continues below, indented.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from hashlib import blake2s
from typing import Any, Final

from rich.text import Text

from cordyna_cli.render.layout.paragraph import wrapped
from cordyna_cli.wording.event_line import event_line
from cordyna_cli.wording.foreign_text import one_line, printable
from cordyna_cli.wording.format import join_names, plural, time_of_day
from cordyna_core.contract.base import Message
from cordyna_core.contract.commands import CancelTask, InvokeTask, RunTask
from cordyna_core.contract.declaration import ServerDeclared
from cordyna_core.contract.envelope import MalformedEvent, open_envelope
from cordyna_core.contract.incidents import (
    GraphChanged,
    IncidentChanged,
    IncidentClosed,
    IncidentMessage,
    IncidentOpened,
)
from cordyna_core.contract.reasons import reason_of
from cordyna_core.contract.state_updates import (
    DeclarationAccepted,
    DeclarationRejected,
    RunStateChanged,
    ServerStateChanged,
    TaskStateChanged,
)
from cordyna_core.contract.views.runs import LogLine, PassedEvent

SHORT_RUN_ID: Final = 6
"""Characters; `dyna show` finds a run by the beginning of its id."""

_SERVER_STYLES: Final = ("cyan", "magenta", "yellow", "blue", "green", "bright_red")
_INDENT_COLUMNS: Final = 10
"""Behind the time."""

_WORDS_COLUMNS: Final = 24
"""With less room behind long names, what happened is below them."""

_SERVER_COLUMNS_MIN: Final = 6
_SERVER_COLUMNS_MAX: Final = 16
_TASK_COLUMNS_MAX: Final = 24
_STREAM_SIGNS: Final = {"stdout": "│", "stderr": "!", "log": "·", "shared": "┆"}
_RUN_STYLES: Final = {
    "completed": "bold green",
    "error": "bold red",
    "failing": "red",
    "running": "blue",
}


class DevLines:
    """Renders events and printed lines one by one; columns grow up to a limit."""

    def __init__(self, width: int | None = None, tasks_of: Mapping[str, int] | None = None) -> None:
        """`tasks_of`: how many tasks the servers have that are loaded already.

        `width` may be set anew at any time: a terminal can be resized.
        """
        self.width = width
        self._tasks_of = dict(tasks_of or {})
        longest = max(map(len, self._tasks_of), default=0)
        # From the first line on, so that the lines of servers that are loaded together align.
        self._server_columns = min(max(longest, _SERVER_COLUMNS_MIN), _SERVER_COLUMNS_MAX)
        self._task_columns = 8
        self._ready: set[str] = set()
        self._changed: set[str] = set()
        # By task, not by run: a service passes any number of runs.
        self._server_of: dict[str, str] = {}

    def lines(self, item: PassedEvent | LogLine) -> list[Text]:
        """Return the lines of one event, or of one printed line."""
        if isinstance(item, LogLine):
            return self._printed(item)
        try:
            message = open_envelope(item.text).message
        except MalformedEvent as malformed:
            return self._line(
                "", "", "", Text(f"unreadable event: {one_line(str(malformed))}", "red")
            )
        time = event_line(item.text).at
        summary = _WORDS.get(type(message), _any_event)(self, message, item.text)
        if summary is None:
            return []
        run_id, task = str(getattr(message, "run_id", None) or ""), _task(message)
        server = "" if isinstance(message, RunStateChanged) else str(getattr(message, "server", ""))
        lines = self._line(
            run_id, server, task, summary, "" if time is None else time_of_day(time)[:8]
        )
        return [*lines, *self._after_error(message), *self._after_rejection(message)]

    def _printed(self, line: LogLine) -> list[Text]:
        style = "red" if line.stream == "stderr" else ""
        text = Text.assemble(
            (_STREAM_SIGNS[line.stream], "dim"), " ", (printable(line.text).rstrip("\n"), style)
        )
        task = _attempt_of(line.task, line.attempt)
        server = self._server_of.get(line.task, "")
        return self._line(line.run_id, server, task, text, _clock_time(line.at))

    def _line(self, run_id: str, server: str, task: str, what: Text, time: str = "") -> list[Text]:
        self._server_columns = min(max(self._server_columns, len(server)), _SERVER_COLUMNS_MAX)
        self._task_columns = min(max(self._task_columns, len(task)), _TASK_COLUMNS_MAX)
        style = _style_of(server)
        head = Text.assemble(
            (time.ljust(8), "dim"),
            "  ",
            (run_id[:SHORT_RUN_ID].ljust(SHORT_RUN_ID), "dim"),
            "  ",
            (server.ljust(self._server_columns), style),
            "  ",
            (task.ljust(self._task_columns), style),
            "  ",
        )
        if self.width is None or self.width - head.cell_len >= min(what.cell_len, _WORDS_COLUMNS):
            line = head + what
            line.rstrip()
            return wrapped(line, self.width, _INDENT_COLUMNS)
        head.rstrip()
        below = Text(" " * _INDENT_COLUMNS) + what
        return [*wrapped(head, self.width, _INDENT_COLUMNS), *wrapped(below, self.width)]

    def _after_error(self, message: Message) -> list[Text]:
        """Return the traceback of a failed attempt, and what to type next."""
        if not isinstance(message, TaskStateChanged) or message.state != "error":
            return []
        error = message.error
        trace = printable(error.traceback or "").splitlines() if error is not None else []
        indent = " " * _INDENT_COLUMNS
        text = [Text(f"{indent}{line}", "dim") for line in trace]
        lines = [part for line in text for part in wrapped(line, self.width)]
        if reason_of("error", message.reason).is_fixable:
            # Not wrapped, so that it can be copied.
            command = f"dyna why {message.run_id} {message.task}"
            lines.append(Text(f"{indent}next: {command}", "cyan"))
        return lines

    def _after_rejection(self, message: Message) -> list[Text]:
        """Return why a server was not loaded, a paragraph for each line of each problem."""
        if not isinstance(message, DeclarationRejected):
            return []
        text = [
            Text(" " * _INDENT_COLUMNS + line, "red")
            for problem in message.problems
            for line in printable(problem.message).splitlines()
        ]
        return [part for line in text for part in wrapped(line, self.width)]

    def invoked(self, message: InvokeTask, text: str) -> Text:
        """Who asked for the task, and how."""
        line = event_line(text)
        return Text(" ".join(filter(None, ("invoked by", line.sender, line.detail))))

    def task_sent(self, message: RunTask, _text: str) -> Text:
        """Remember which server a task is on: a printed line does not say it."""
        self._server_of[message.task] = message.server
        return Text("sent", "dim")

    def task_stopped(self, _message: CancelTask, _text: str) -> None:
        """The line before says why. It is sent after every attempt that cerebro gave up, also
        before a retry, so that nothing of it runs on."""

    def task_changed(self, message: TaskStateChanged, text: str) -> Text:
        """Return the state, and what the server says of it."""
        self._server_of[message.task] = message.server
        mark = reason_of(message.state, message.reason).mark
        words = event_line(text).detail
        if message.progress is not None or message.message:
            words = words.removeprefix(f"{message.state} ")
        return Text(f"{mark.sign} {words}", mark.style)

    def run_changed(self, message: RunStateChanged, _text: str) -> Text:
        """Return how the run proceeds, or ended."""
        causes = [f"{cause.task} {cause.reason}" for cause in message.root_causes]
        because = f": {join_names(causes)}" if causes else ""
        blocked = f" ({plural(message.blocked, 'task')} blocked)" if message.blocked else ""
        return Text.assemble((f"run {message.state}", _RUN_STYLES[message.state]), because, blocked)

    def declared(self, message: ServerDeclared, _text: str) -> None:
        """Cerebro's answer is shown instead."""
        self._tasks_of[message.server] = len(message.tasks)

    def graph_changed(self, message: GraphChanged, text: str) -> Text:
        """Return what it adds, removes and changes. The answer to its declaration follows."""
        self._changed.add(message.server)
        return _any_event(self, message, text)

    def accepted(self, message: DeclarationAccepted, _text: str) -> Text | None:
        """A server was loaded, for the first time here or again.

        All servers of a home are declared together: one that is known and that changed nothing was
        not loaded because of that.
        """
        if message.server in self._ready and message.server not in self._changed:
            return None
        self._changed.discard(message.server)
        return self._loaded(message.server)

    def server_changed(self, message: ServerStateChanged, _text: str) -> Text:
        """A server that is ready was loaded; what it declares is as before."""
        if message.state == "ready":
            return self._loaded(message.server)
        return Text(f"{message.server} is {message.state}")

    def _loaded(self, server: str) -> Text:
        verb = "reloaded" if server in self._ready else "loaded"
        self._ready.add(server)
        count = self._tasks_of.get(server)
        tasks = "" if count is None else f" ({plural(count, 'task')})"
        return Text(f"{verb} {server}{tasks}", "green")

    def rejected(self, message: DeclarationRejected, _text: str) -> Text:
        """That a server keeps its last good version; why is below."""
        return Text(f"{message.server} not loaded:", "bold red")

    def incident(self, message: IncidentMessage, text: str) -> Text:
        """Return what needs its owner.

        Its error is shown with the event before, which it comes from.
        """
        words = _any_event(self, message, text).plain
        if message.error is not None:
            words = words.partition(f": {one_line(message.error.type)}: ")[0]
        return Text(words)


def _any_event(_lines: DevLines, _message: Message, text: str) -> Text:
    line = event_line(text)
    words = f"{line.message} from {line.sender}"
    return Text(f"{words}: {line.detail}" if line.detail else words)


def _clock_time(at: datetime) -> str:
    """Return `12:03:04`, UTC."""
    return time_of_day(at)[:8]


def _task(message: Message) -> str:
    task, attempt = getattr(message, "task", None), getattr(message, "attempt", None)
    return _attempt_of(str(task or ""), attempt)


def _attempt_of(task: str, attempt: int | None) -> str:
    return task if attempt in (None, 1) else f"{task}/{attempt}"


def _style_of(server: str) -> str:
    if not server:
        return ""
    digest = blake2s(server.encode(), digest_size=1).digest()[0]
    return _SERVER_STYLES[digest % len(_SERVER_STYLES)]


_WORDS: Final[dict[type[Message], Callable[[DevLines, Any, str], Text | None]]] = {
    InvokeTask: DevLines.invoked,
    RunTask: DevLines.task_sent,
    CancelTask: DevLines.task_stopped,
    TaskStateChanged: DevLines.task_changed,
    RunStateChanged: DevLines.run_changed,
    ServerDeclared: DevLines.declared,
    GraphChanged: DevLines.graph_changed,
    DeclarationAccepted: DevLines.accepted,
    DeclarationRejected: DevLines.rejected,
    ServerStateChanged: DevLines.server_changed,
    IncidentOpened: DevLines.incident,
    IncidentChanged: DevLines.incident,
    IncidentClosed: DevLines.incident,
}
"""The other messages are shown by their name, sender and detail."""


def ready_line(servers: Sequence[str], tasks: int) -> str:
    """Return `5 tasks on sales and stock; Ctrl-C ends this`."""
    on = f" on {join_names(list(servers))}" if servers else ""
    return f"{plural(tasks, 'task')}{on}; Ctrl-C ends this"
