"""Consoles for tests: an engine in memory with three small servers, and a client that is let in."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from starlette.testclient import TestClient

from cerebro.embedded.embedded_engine import EmbeddedEngine
from cerebro.embedded.storage.home import MemoryHome
from cordyna_cli.engine import Engine, Invoked
from cordyna_cli.engines import EngineName
from cordyna_console.app import build_app
from cordyna_console.console import Console, ConsoleIdentity
from cordyna_console.guard import ConsoleAccess
from cordyna_core import Context, TaskServer
from cordyna_core.contract.commands import InvokeTask
from cordyna_core.contract.views.runs import RunCriteria, RunSummary, RunView

PORT = 8420
HOST = f"127.0.0.1:{PORT}"
ACCESS = ConsoleAccess(port=PORT, token="the-token", cookie="the-cookie")
BEARER = {"Authorization": f"Bearer {ACCESS.token}"}
CHANGES = {**BEARER, "X-Cordyna": "1"}
NOW = datetime(2026, 11, 28, 12, 0, tzinfo=UTC)
API = "/api/v1"


def three_servers() -> list[TaskServer]:
    """`report` needs `load`, which needs `raw` (it fails) and `stock`."""
    sales = TaskServer("sales", owner="team-sales")
    stock = TaskServer("stock", owner="team-stock")
    reports = TaskServer("reports", owner="team-reports")

    @sales.task(name="orders", cron="*/5 * * * *")
    def orders(day: str = "today", *, ctx: Context) -> dict[str, int]:
        ctx.log.info("orders of %s <b>bold</b>", day)
        for line in range(20):
            ctx.log.info("line %d", line)
        return {"rows": 3}

    @sales.task(name="raw", upstream=["orders"])
    def raw() -> None:
        raise ValueError("bad row 7 <script>")

    stock.task(name="stock")(lambda: {"products": 2})
    stock.task(name="load", upstream=["raw", "stock"])(lambda: None)

    @reports.task(name="report", upstream=["load"], cron="0 7 * * 1-5")
    def report(top: int = 5) -> int:
        return top

    reports.task(name="orphan", upstream=["nowhere"])(lambda: None)
    return [sales, stock, reports]


@contextmanager
def an_engine() -> Iterator[EmbeddedEngine]:
    """An engine in memory that serves the three servers."""
    with EmbeddedEngine(MemoryHome(), three_servers()) as engine:
        engine.tasks()  # an engine declares its servers when it is first asked for them
        yield engine


def finished(engine: Engine, task: str, **params: Any) -> RunView:
    """The run of a task as it is at its end."""
    answer = engine.invoke(InvokeTask(task=task, params=params, labels={"why": "test"}))
    assert isinstance(answer, Invoked), answer
    *_, last = engine.follow(answer.run_id)
    return last


def a_console(engine: Engine, kind: EngineName = "embedded") -> Console:
    identity = ConsoleIdentity(engine=kind, where="a-home", command="dyna", by="ana")
    return Console(engine=engine, identity=identity, now=lambda: NOW)


def a_client(console: Console) -> TestClient:
    """A client of the console's address that sends nothing by itself."""
    app = build_app(console, lambda: ACCESS)
    return TestClient(app, base_url=f"http://{HOST}", follow_redirects=False)


def get(client: TestClient, path: str, status: int = 200, **query: Any) -> Any:
    """The answer to a GET of the API, as JSON."""
    answer = client.get(API + path, headers=BEARER, params=query)
    assert answer.status_code == status, answer.text
    return answer.json()


def post(client: TestClient, path: str, body: Any, status: int) -> Any:
    """The answer to a POST to the API, as JSON; None: it is empty."""
    answer = client.post(API + path, headers=CHANGES, json=body)
    assert answer.status_code == status, answer.text
    return answer.json() if answer.content else None


class EngineWithRuns:
    """An engine whose list of runs is this one."""

    def __init__(self, engine: EmbeddedEngine, runs: list[RunSummary]) -> None:
        self._engine, self._runs = engine, runs

    def __getattr__(self, name: str) -> Any:
        return getattr(self._engine, name)

    def runs(self, limit: int = 20, criteria: RunCriteria | None = None) -> list[RunSummary]:
        return self._runs[:limit]
