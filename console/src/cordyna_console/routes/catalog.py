"""Routes of tasks, servers and the graph."""

from typing import Annotated

from fastapi import APIRouter, Query

from cordyna_console.answers import catalog
from cordyna_console.catalog_models import (
    GraphAnswer,
    HistoryAnswer,
    PlanRequest,
    RecentTasks,
    RehearsalRequest,
    ServerAnswer,
    ServerList,
    TaskList,
    TaskRow,
)
from cordyna_console.routes.shared import NamePath, NameQuery, Text, TheConsole
from cordyna_core.contract.views.graph import PlanView
from cordyna_core.contract.views.rehearsal import RehearsalView

router = APIRouter(tags=["catalog"])


@router.get("/graph")
def graph(console: TheConsole) -> GraphAnswer:
    """Every declared task and what it needs."""
    return catalog.graph(console)


@router.get("/tasks")
def tasks(
    console: TheConsole,
    q: Text = None,
    server: NameQuery = None,
    owner: Text = None,
    cron: Annotated[bool | None, Query()] = None,
) -> TaskList:
    """Declared tasks that match."""
    return catalog.task_list(console, q=q, server=server, owner=owner, cron=cron)


@router.get("/recent-tasks")
def recent(console: TheConsole) -> RecentTasks:
    """What became of every task in the newest runs."""
    return catalog.recent(console)


@router.get("/tasks/{task}")
def task(console: TheConsole, task: NamePath) -> TaskRow:
    """One declared task."""
    return catalog.one_task(console, task)


@router.get("/tasks/{task}/history")
def history(
    console: TheConsole, task: NamePath, limit: Annotated[int, Query(ge=1, le=100)] = 20
) -> HistoryAnswer:
    """The last runs that planned it."""
    return catalog.history(console, task, limit)


@router.post("/plan")
def plan(console: TheConsole, body: PlanRequest) -> PlanView:
    """What an invocation would run, or why it would be refused. Nothing is invoked."""
    return catalog.plan(console, body)


@router.post("/rehearsals")
def rehearse(console: TheConsole, body: RehearsalRequest) -> RehearsalView:
    """What declaring would change. Nothing is declared."""
    return catalog.rehearse(console, body)


@router.get("/servers")
def servers(console: TheConsole) -> ServerList:
    """Every server."""
    return catalog.server_list(console)


@router.get("/servers/{server}")
def server(console: TheConsole, server: NamePath) -> ServerAnswer:
    """One server with its tasks and what it works on."""
    return catalog.one_server(console, server)
