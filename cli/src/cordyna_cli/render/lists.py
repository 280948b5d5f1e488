"""Lists: runs, tasks, servers, plans and crons as tables."""

from collections.abc import Container, Sequence
from datetime import datetime
from typing import Final

from rich.text import Text

from cordyna_cli.render.layout.paragraph import wrapped
from cordyna_cli.render.layout.table import Column, aligned
from cordyna_cli.wording.foreign_text import one_line
from cordyna_cli.wording.format import ago, moment, plural
from cordyna_cli.wording.senders import invoker_of
from cordyna_cli.wording.status_marks import run_mark
from cordyna_core.contract.views.graph import PlanView, ServerInfo, TaskInfo
from cordyna_core.contract.views.runs import RunSummary

_SERVER_STYLE: Final = {
    "ready": "green",
    "draining": "yellow",
    "stopped": "red",
    "unresponsive": "bold red",
    "unknown": "dim",
    "undeclared": "dim",
    "rejected": "bold red",
    "not_loaded": "bold red",
}

_RUNS: Final = (
    Column("run"),
    Column("task", yields=1),
    Column("state"),
    Column("created", yields=2),
    Column(yields=3, optional=True),
)
_NAMES_MAX: Final = 20
_RUNS_OF_SENDERS: Final = (*_RUNS, Column("by", yields=4))
_TASKS: Final = (
    Column("task", yields=1),
    Column("server", yields=2),
    Column("upstream", yields=4, prose="wrap"),
    Column("cron", yields=3),
    Column("owner", yields=5),
    Column("description", yields=6, prose="wrap"),
)
_SERVERS: Final = (
    Column("server", yields=1),
    Column("state"),
    Column("tasks", align="right"),
    Column("revision", align="right", yields=4),
    Column("last sign of life", yields=3),
)
_PLAN: Final = (
    Column("level", align="right"),
    Column("task", yields=1),
    Column("server", yields=2),
    Column("upstream", yields=3, prose="wrap"),
)
_CRONS: Final = (
    Column("task", yields=1),
    Column("server", yields=5),
    Column("cron"),
    # Without it, neither the cron nor the next time is understood.
    Column("time zone", yields=2),
    Column("next"),
    Column(yields=3, optional=True),
)


def runs_table(runs: Sequence[RunSummary], now: datetime, width: int | None = None) -> list[Text]:
    """Return the newest first; with who invoked them, if that is known of any."""
    rows = [
        (
            run.run_id,
            run.task,
            Text(f"{run_mark(run).sign} {run_mark(run).word}", run_mark(run).style),
            moment(run.created_at, now),
            ago(run.created_at, now),
        )
        for run in runs
    ]
    senders = [invoker_of(run) or "" for run in runs]
    if not any(senders):
        return aligned(_RUNS, rows, width)
    return aligned(
        _RUNS_OF_SENDERS, [(*row, sender) for row, sender in zip(rows, senders, strict=True)], width
    )


def tasks_table(tasks: Sequence[TaskInfo], width: int | None = None) -> list[Text]:
    """An upstream that no server declares is marked."""
    rows = [
        (
            info.task,
            info.server,
            _upstream(info, width),
            cron_words(info),
            one_line(info.owner or ""),
            one_line(info.description or ""),
        )
        for info in tasks
    ]
    return aligned(_TASKS, rows, width)


def servers_table(
    servers: Sequence[ServerInfo], now: datetime, width: int | None = None
) -> list[Text]:
    """Return a line for each server; with its workers where they are known."""
    rows = [
        (
            info.server,
            _server_state(info),
            str(info.tasks),
            str(info.revision),
            ago(info.last_seen_at, now) if info.last_seen_at else "never",
            _workers(info),
        )
        for info in servers
    ]
    if any(info.concurrency is not None for info in servers):
        return aligned((*_SERVERS, Column("workers", yields=2, prose="wrap")), rows, width)
    return aligned(_SERVERS, [row[:-1] for row in rows], width)


def _server_state(info: ServerInfo) -> Text:
    """Return its state; of one that serves although its files fail to load, that, too."""
    if runs_earlier_code(info):
        return Text(f"{info.state}, earlier code", "yellow")
    return Text(info.state.replace("not_loaded", "failed to load"), _SERVER_STYLE[info.state])


def runs_earlier_code(info: ServerInfo) -> bool:
    """Return whether a server runs the code of before, because its files fail to load."""
    return info.state == "ready" and info.problem is not None


def _workers(info: ServerInfo) -> str:
    """Return `3 of 8 busy, 2 waiting; spawn: imports start threads`."""
    if info.concurrency is None:
        return ""
    waiting = f", {info.waiting} waiting" if info.waiting else ""
    mode = f"; {info.mode}" if info.mode else ""
    reason = f": {one_line(info.mode_reason)}" if info.mode and info.mode_reason else ""
    return f"{info.running or 0} of {info.concurrency} busy{waiting}{mode}{reason}"


def server_problems(servers: Sequence[ServerInfo], width: int | None) -> list[Text]:
    """Return why a server is not served as its files say, a paragraph for each."""
    lines = [
        Text(line, style="red")
        for info in servers
        if info.problem
        for line in [*_problem(info.server, info.problem), *_until_it_loads(info)]
    ]
    return [part for line in lines for part in wrapped(line, width)]


def _until_it_loads(info: ServerInfo) -> list[str]:
    if not runs_earlier_code(info):
        return []
    return [f"  {info.server} runs its earlier code; dyna dev loads its files when they are saved"]


def _problem(server: str, problem: str) -> list[str]:
    """Return what happened behind the name of the server; why, and what to do next, below."""
    what, *details = map(one_line, problem.splitlines())
    return [f"{server}: {what}", *(f"  {detail}" for detail in details)]


def plan_table(plan: PlanView, width: int | None = None) -> list[Text]:
    """In the order in which the tasks may begin, with a total."""
    rows = [
        (str(task.level), task.task, task.server, _names(task.upstream, width))
        for task in plan.tasks
    ]
    if not rows:
        return []
    tasks = plural(len(plan.tasks), "task")
    servers = plural(len({task.server for task in plan.tasks}), "server")
    steps = plural(1 + max(task.level for task in plan.tasks), "step")
    total = f"{tasks} on {servers}; at least {steps} one after another"
    return [*aligned(_PLAN, rows, width), Text(), Text(total, style="bold")]


def crons_table(
    tasks: Sequence[TaskInfo], paused: Container[str], now: datetime, width: int | None = None
) -> list[Text]:
    """Return a line for each task; `paused` or `-` where a cron has no next time."""
    rows = [
        (
            info.task,
            info.server,
            info.cron or "",
            info.timezone,
            moment(info.next_at, now) if info.next_at else _no_next_time(info, paused),
            ago(info.next_at, now) if info.next_at else "",
        )
        for info in tasks
    ]
    return aligned(_CRONS, rows, width)


def _no_next_time(info: TaskInfo, paused: Container[str]) -> str:
    return "paused" if info.task in paused else "-"


def cron_words(info: TaskInfo) -> str:
    """Return `0 6 * * * Europe/Berlin`.

    The zone is left out where it is UTC, and all without a cron.
    """
    if info.cron is None or info.timezone == "UTC":
        return info.cron or ""
    return f"{info.cron} {info.timezone}"


def _upstream(info: TaskInfo, width: int | None) -> Text:
    text = _names(info.upstream, width, marked=info.unresolved)
    if not info.unresolved:
        return text
    return text + Text(f"  ({', '.join(info.unresolved)}: not declared)", style="red")


def _names(names: Sequence[str], width: int | None, marked: Container[str] = ()) -> Text:
    """Return the names, on a terminal not all of very many: `describe` and JSON have them."""
    shown = names if width is None or len(names) <= _NAMES_MAX + 1 else names[:_NAMES_MAX]
    text = Text(", ").join(Text(name, "bold red" if name in marked else "") for name in shown)
    return text if len(shown) == len(names) else text + f" and {len(names) - len(shown)} more"
