"""Catalog: declared tasks, their graph and servers, and what invoking or declaring would do."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

from cordyna_cli.wording.phases import attempt_duration, timeline_in_order
from cordyna_console.answers.refusals import unknown_name
from cordyna_console.bus_reports import BusReports
from cordyna_console.catalog_models import (
    GraphAnswer,
    HistoryAnswer,
    HistoryRow,
    LiveTask,
    PlanRequest,
    RecentTasks,
    RecentWord,
    RehearsalRequest,
    ServerAnswer,
    ServerList,
    ServerRow,
    TaskList,
    TaskRow,
    Workers,
)
from cordyna_console.console import Console
from cordyna_core.contract.views.graph import PlanView, ServerInfo, TaskInfo
from cordyna_core.contract.views.rehearsal import RehearsalView
from cordyna_core.contract.views.runs import RunSummary, RunView, TaskView
from cordyna_core.errors import NotFound, UserError

HISTORY_LOOKS_AT: Final = 100
LIVE_RUNS_MAX: Final = 20
RECENT_RUNS: Final = 40
RECENT_RUNS_IN_THE_CLOUD: Final = 5
"""There, each is two calls of a function."""
RECENT_RUNS_SEARCHED: Final = 500
RECENT_RUNS_OF_A_TARGET: Final = 10
"""Runs of a cron of every minute would be all of the newest ones."""


def graph(console: Console) -> GraphAnswer:
    """Return every declared task, upstreams first."""
    tasks = console.engine.tasks()
    known = {task.task: task for task in tasks}
    levels = _levels(known)
    ordered = sorted(tasks, key=lambda task: (levels[task.task], task.server, task.task))
    index = {task.task: at for at, task in enumerate(ordered)}
    servers = sorted({task.server for task in tasks})
    owners = sorted({task.owner for task in tasks if task.owner is not None})
    unresolved: dict[str, list[str]] = defaultdict(list)
    for task in ordered:
        for name in task.unresolved:
            unresolved[name].append(task.task)
    return GraphAnswer(
        generation=console.engine.cerebro().generation,
        servers=servers,
        owners=owners,
        task=[task.task for task in ordered],
        server=[servers.index(task.server) for task in ordered],
        owner=[-1 if task.owner is None else owners.index(task.owner) for task in ordered],
        level=[levels[task.task] for task in ordered],
        upstream=[[index[name] for name in task.upstream if name in index] for task in ordered],
        cron=[task.cron for task in ordered],
        unresolved=dict(unresolved),
    )


def _levels(known: Mapping[str, TaskInfo]) -> dict[str, int]:
    """Return the length of the longest way to each task.

    Iterative, for chains longer than the stack.
    """
    levels: dict[str, int] = {}
    for root in known:
        stack = [root]
        while stack:
            name = stack[-1]
            missing = [up for up in known[name].upstream if up in known and up not in levels]
            if missing and name not in levels:
                stack.extend(missing)
                continue
            stack.pop()
            ups = [levels[up] for up in known[name].upstream if up in levels]
            levels.setdefault(name, 1 + max(ups, default=-1))
    return levels


def task_list(
    console: Console,
    *,
    q: str | None = None,
    server: str | None = None,
    owner: str | None = None,
    cron: bool | None = None,
) -> TaskList:
    """Return declared tasks that match."""
    text = (q or "").casefold()
    rows = [
        row
        for row in _rows(console)
        if server in (None, row.server)
        and owner in (None, row.owner)
        and cron in (None, row.cron is not None)
        and (not text or text in row.task.casefold() or text in (row.description or "").casefold())
    ]
    return TaskList(rows=rows, generation=console.engine.cerebro().generation)


def _rows(console: Console) -> list[TaskRow]:
    tasks = console.engine.tasks()
    downstream: dict[str, list[str]] = defaultdict(list)
    for task in tasks:
        for name in task.upstream:
            downstream[name].append(task.task)
    paused = paused_crons(console) or frozenset()
    return [
        TaskRow(**dict(task), downstream=downstream[task.task], paused=task.task in paused)
        for task in tasks
    ]


def paused_crons(console: Console) -> frozenset[str] | None:
    """Return the tasks whose cron is paused; None for a person who may look but not operate."""
    try:
        return frozenset(console.operations.paused())
    except UserError:
        return None


def one_task(console: Console, name: str) -> TaskRow:
    """Raises NotFound."""
    rows = _rows(console)
    row = next((row for row in rows if row.task == name), None)
    if row is None:
        known = [row.task for row in rows]
        raise unknown_name(f'no server declares a task "{name}".', name, known, "dyna tasks")
    return row


def recent(console: Console) -> RecentTasks:
    """Return what became of every task in the newest runs."""
    now, tasks = console.now(), defaultdict[str, list[RecentWord]](list)
    summaries = _spread(
        console.engine.runs(RECENT_RUNS_SEARCHED),
        RECENT_RUNS if console.has_cheap_events else RECENT_RUNS_IN_THE_CLOUD,
    )
    for run in summaries:
        try:
            words = console.recent.words_of(console.engine, run.run_id, run.state, now)
        except NotFound:
            continue  # it was deleted since it was listed
        for task, (state, reason) in words.items():
            tasks[task].append(
                RecentWord(run_id=run.run_id, at=run.created_at, state=state, reason=reason)
            )
    return RecentTasks(looked_at=len(summaries), tasks=tasks)


def _spread(runs: Sequence[RunSummary], most: int) -> list[RunSummary]:
    """Return the newest runs, not more than some of each target."""
    taken: Counter[str] = Counter()
    chosen: list[RunSummary] = []
    for run in runs:
        if taken[run.task] < RECENT_RUNS_OF_A_TARGET and len(chosen) < most:
            taken[run.task] += 1
            chosen.append(run)
    return chosen


def history(console: Console, name: str, limit: int) -> HistoryAnswer:
    """Return the last runs that planned a task, the newest first."""
    rows: list[HistoryRow] = []
    summaries = console.engine.runs(HISTORY_LOOKS_AT)
    for summary in summaries:
        try:
            view = console.engine.task_run(summary.run_id, name).excerpt
        except NotFound:
            continue  # that run did not plan the task
        rows.append(_history_row(view, view.tasks[0], console.now()))
        if len(rows) == limit:
            break
    return HistoryAnswer(task=name, rows=rows, looked_at=len(summaries))


def _history_row(view: RunView, task: TaskView, now: datetime) -> HistoryRow:
    entries = timeline_in_order(task)
    begin = view.created_at or now
    return HistoryRow(
        run_id=view.run_id,
        target=view.task,
        at=begin,
        state=task.state,
        reason=task.reason,
        attempt=task.attempt,
        waited=(entries[0].at - begin).total_seconds() if entries else None,
        ran=attempt_duration(task, now),
    )


def plan(console: Console, request: PlanRequest) -> PlanView:
    """Return what an invocation would run, or why it would be refused."""
    return console.engine.plan(request.task, request.params)


def rehearse(console: Console, request: RehearsalRequest) -> RehearsalView:
    """Return what declaring would change. Nothing is declared."""
    return console.engine.rehearse(request.declared)


def server_list(console: Console) -> ServerList:
    """Return every server with what it uses and who uses it."""
    tasks = console.engine.tasks()
    reports = _reports(console)
    return ServerList(rows=[_server_row(info, tasks, reports) for info in console.engine.servers()])


def one_server(console: Console, name: str) -> ServerAnswer:
    """Raises NotFound."""
    rows = server_list(console).rows
    row = next((row for row in rows if row.server == name), None)
    if row is None:
        known = [row.server for row in rows]
        raise unknown_name(f'no server is named "{name}".', name, known, "dyna servers")
    names = [task.task for task in console.engine.tasks() if task.server == name]
    return ServerAnswer(**dict(row), task_names=names, live=_live(console, name))


def _live(console: Console, server: str) -> list[LiveTask]:
    active = [run for run in console.engine.runs(200) if run.state in ("running", "failing")]
    live_tasks: list[LiveTask] = []
    for summary in active[:LIVE_RUNS_MAX]:
        view = console.engine.facts(summary.run_id).excerpt
        live_tasks += [
            LiveTask(
                run_id=view.run_id,
                task=task.task,
                attempt=task.attempt,
                word=task.state,
                since=task.timeline[-1].at if task.timeline else None,
            )
            for task in view.tasks
            if task.server == server and task.state in ("queued", "started")
        ]
    return live_tasks


def _server_row(info: ServerInfo, tasks: Sequence[TaskInfo], reports: BusReports) -> ServerRow:
    server_of = {task.task: task.server for task in tasks}
    mine = [task for task in tasks if task.server == info.server]
    uses = {server_of[name] for task in mine for name in task.upstream if name in server_of}
    used_by = {
        task.server
        for task in tasks
        for name in task.upstream
        if server_of.get(name) == info.server
    }
    return ServerRow(
        server=info.server,
        state=info.state,
        tasks=info.tasks,
        crons=sum(task.cron is not None for task in mine),
        revision=info.revision,
        last_seen_at=info.last_seen_at,
        problem=info.problem,
        workers=_workers(info),
        owners=sorted({task.owner for task in mine if task.owner}),
        uses=sorted(uses - {info.server}),
        used_by=sorted(used_by - {info.server}),
        last_rejection=reports.rejections.get(info.server),
        last_acceptance=reports.acceptances.get(info.server),
    )


def _workers(info: ServerInfo) -> Workers | None:
    if info.concurrency is None:
        return None
    return Workers(
        concurrency=info.concurrency,
        running=info.running or 0,
        waiting=info.waiting or 0,
        mode=info.mode,
        mode_reason=info.mode_reason,
    )


def _reports(console: Console) -> BusReports:
    """Return what became of the last declarations; nothing where reading the bus is charged."""
    if console.has_cheap_events:
        console.reports.read_on(console.engine)
    return console.reports
