"""Both servers on the embedded engine: what `dyna do task-3` and `dyna do weekly-digest` show."""

from collections.abc import Iterator

import pytest

from cerebro.embedded.embedded_engine import EmbeddedEngine
from cerebro.embedded.engine import IN_MEMORY, open_engine
from cordyna_cli.engine import EngineOptions, Invoked
from cordyna_core.contract.commands import InvokeTask
from cordyna_core.contract.views.runs import RunView, TaskView

SERVERS = ("task_server_a.server:server", "task_server_b.server:server")


@pytest.fixture
def engine() -> Iterator[EmbeddedEngine]:
    with open_engine(EngineOptions(servers=SERVERS, home=IN_MEMORY)) as opened:
        yield opened


def views_of(engine: EmbeddedEngine, task: str) -> Iterator[RunView]:
    invoked = engine.invoke(InvokeTask(task=task))
    assert isinstance(invoked, Invoked)
    return engine.follow(invoked.run_id, timeout_s=20)


def by_name(view: RunView) -> dict[str, TaskView]:
    return {task.task: task for task in view.tasks}


def test_task_3_runs_its_upstreams_on_both_servers_only(engine: EmbeddedEngine) -> None:
    *_, last = views_of(engine, "task-3")
    assert last.state == "completed"
    assert {name: task.server for name, task in by_name(last).items()} == {
        "task-1": "task-server-a",
        "stock-levels": "task-server-a",
        "task-2": "task-server-b",
        "task-3": "task-server-b",
    }


def test_weekly_digest_completes_all_but_blocked_tasks(
    engine: EmbeddedEngine,
) -> None:
    # The run itself ends a little later; that need not be waited for.
    independent = {"week-sales", "sales-trend", "stock-levels", "thumbnail", "catalogue-page"}
    for view in views_of(engine, "weekly-digest"):
        tasks = by_name(view)
        if tasks["supplier-prices"].state == "error" and all(
            tasks[name].state == "completed" for name in independent
        ):
            break
    assert tasks["supplier-prices"].reason == "failed_terminal"
    assert {name for name, task in tasks.items() if task.state == "completed"} == independent
    for name in ("supplier-comparison", "weekly-digest"):
        assert (tasks[name].state, tasks[name].reason, tasks[name].blocked_by) == (
            "pending",
            "blocked",
            ["supplier-prices"],
        )
    assert [(cause.task, cause.server, cause.owner) for cause in view.root_causes] == [
        ("supplier-prices", "task-server-a", "team-a")
    ]
