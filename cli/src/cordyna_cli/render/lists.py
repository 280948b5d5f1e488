"""Lists: runs, tasks, servers, plans, crons and log lines as tables."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from rich.text import Text

from cordyna_cli.render.layout.table import Column, aligned
from cordyna_cli.wording.format import (
    ago,
    join_names,
    moment,
    one_line,
    plural,
    printable,
    time_of_day,
)
from cordyna_cli.wording.status_marks import run_mark
from cordyna_core.contract.views.graph import PlanView, ServerInfo, TaskInfo
from cordyna_core.contract.views.runs import LogLine, RunSummary

_SERVER_STYLE: Final = {
    "ready": "green",
    "draining": "yellow",
    "stopped": "red",
    "unresponsive": "bold red",
    "unknown": "dim",
}

_RUNS: Final = (
    Column("run"),
    Column("task", yields=2),
    Column("state"),
    Column("asked for"),
    Column(),
)
_TASKS: Final = (
    Column("task", yields=1),
    Column("server", yields=2),
    Column("upstream", yields=4),
    Column("cron", yields=3),
    Column("owner", yields=5),
    Column("description", yields=6),
)
_SERVERS: Final = (
    Column("server", yields=1),
    Column("state"),
    Column("tasks", align="right"),
    Column("revision", align="right"),
    Column("last heard of"),
)
_PLAN: Final = (
    Column("level", align="right"),
    Column("task", yields=1),
    Column("server", yields=2),
    Column("upstream", yields=3),
)
_CRONS: Final = (
    Column("task", yields=1),
    Column("server", yields=2),
    Column("cron"),
    Column("time zone"),
    Column("next"),
    Column(),
)
_LOGS: Final = (Column(), Column(yields=1), Column())
SHARED: Final = "┆"
_STREAM: Final = {"stdout": "│", "stderr": "!", "log": "·", "shared": SHARED}


def runs_table(runs: Sequence[RunSummary], now: datetime, width: int | None = None) -> list[Text]:
    """The newest first."""
    rows = [
        (
            run.run_id,
            run.task,
            Text(f"{run_mark(run).sign} {run.state}", run_mark(run).style),
            moment(run.created_at, now),
            ago(run.created_at, now),
        )
        for run in runs
    ]
    return aligned(_RUNS, rows, width)


def tasks_table(tasks: Sequence[TaskInfo], width: int | None = None) -> list[Text]:
    """An upstream that nobody declares is marked."""
    rows = [
        (
            info.task,
            info.server,
            _upstream(info),
            cron_words(info),
            info.owner or "",
            one_line(info.description or ""),
        )
        for info in tasks
    ]
    return aligned(_TASKS, rows, width)


def servers_table(
    servers: Sequence[ServerInfo], now: datetime, width: int | None = None
) -> list[Text]:
    rows = [
        (
            info.server,
            Text(info.state, _SERVER_STYLE[info.state]),
            str(info.tasks),
            str(info.revision),
            ago(info.last_seen_at, now) if info.last_seen_at else "never",
        )
        for info in servers
    ]
    return aligned(_SERVERS, rows, width)


def plan_table(plan: PlanView, width: int | None = None) -> list[Text]:
    """In the order in which the tasks may begin, and what that makes in all."""
    rows = [
        (str(task.level), task.task, task.server, ", ".join(task.upstream)) for task in plan.tasks
    ]
    servers = {task.server for task in plan.tasks}
    levels = 1 + max((task.level for task in plan.tasks), default=-1)
    total = f"{plural(len(plan.tasks), 'task')} on {plural(len(servers), 'server')}; at the least {plural(levels, 'step')} one after another"
    return [*aligned(_PLAN, rows, width), Text(), Text(total, style="bold")] if rows else []


def crons_table(tasks: Sequence[TaskInfo], now: datetime, width: int | None = None) -> list[Text]:
    rows = [
        (
            info.task,
            info.server,
            info.cron or "",
            info.timezone,
            moment(info.next_at, now) if info.next_at else "-",
            ago(info.next_at, now) if info.next_at else "",
        )
        for info in tasks
    ]
    return aligned(_CRONS, rows, width)


def log_lines(lines: Sequence[LogLine]) -> list[Text]:
    """When, which task and attempt, how, what. What was printed is never cut.

    `│` printed, `!` on stderr, `·` logged, `┆` by a thread or process while several tasks ran: kept
    with each of them, shown once.
    """
    rows = [
        (
            Text(time_of_day(told[0].at), style="dim"),
            join_names([f"{line.task}/{line.attempt}" for line in told], 3),
            Text.assemble((_STREAM[told[0].stream], "dim"), " ", _printed(told[0])),
        )
        for told in _together(lines)
    ]
    return aligned(_LOGS, rows)


def _together(lines: Sequence[LogLine]) -> list[list[LogLine]]:
    """Each line by itself, but one and the same shared line of several tasks as one."""
    told: list[list[LogLine]] = []
    for line in lines:
        last = told[-1] if told else []
        is_same = line.stream == "shared" and any(
            (line.stream, line.text) == (each.stream, each.text) for each in last
        )
        if is_same and (line.task, line.attempt) not in [
            (each.task, each.attempt) for each in last
        ]:
            last.append(line)
        else:
            told.append([line])
    return told


def _printed(line: LogLine) -> Text:
    return Text(printable(line.text).rstrip("\n"), style="red" if line.stream == "stderr" else "")


def _upstream(info: TaskInfo) -> Text:
    parts = [(name, "bold red" if name in info.unresolved else "") for name in info.upstream]
    words = Text(", ").join(Text(name, style=style) for name, style in parts)
    return (
        words + Text(f"  ({', '.join(info.unresolved)}: declared by nobody)", style="red")
        if info.unresolved
        else words
    )


def cron_words(info: TaskInfo) -> str:
    """`0 6 * * * Europe/Berlin`; nothing where there is none, and no zone where it is UTC."""
    return (
        ""
        if info.cron is None
        else info.cron
        if info.timezone == "UTC"
        else f"{info.cron} {info.timezone}"
    )
