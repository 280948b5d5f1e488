"""A home that an earlier version recorded is read and continued by this one.

`tests/golden_home/home.sql` is a home whose engine was killed: a completed run, a failed one, a
cancelled one, and one whose last task runs.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cerebro.embedded.embedded_engine import EmbeddedEngine
from cerebro.embedded.storage.home import DiskHome
from cordyna_cli.engine import Invoked
from cordyna_core.contract.commands import InvokeTask, RetryRun
from cordyna_core.contract.ids import run_id_of
from cordyna_core.contract.views.runs import RunView
from golden_home import make_home
from golden_home.make_home import RECORDED_AT, make_server, record, restore

GOLDEN = Path(make_home.__file__).with_name("home.sql")
COMPLETED, FAILED, CANCELLED, ACTIVE = (
    run_id_of(task, key)
    for task, key in (
        ("report", "completed"), ("audit", "failed"), ("wait", "cancelled"), ("wait", "active"),
    )
)  # fmt: skip


@pytest.fixture(params=["recorded", "made by this version"])
def statements(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The recorded home; and one of today, so that the script that makes it stays right."""
    if request.param == "recorded":
        return GOLDEN.read_text()
    return "\n".join(record(tmp_path / "made"))


@pytest.fixture
def server() -> Iterator[dict[str, Any]]:
    names = make_server()
    yield names
    names["is_released"].set()


@pytest.fixture
def engine(statements: str, server: dict[str, Any], tmp_path: Path) -> Iterator[EmbeddedEngine]:
    """An engine on the home, a minute after it was recorded."""
    folder = tmp_path / "home"
    folder.mkdir()
    restore(statements, folder / "cordyna.db")

    def now() -> float:
        return RECORDED_AT + 60.0

    with EmbeddedEngine(DiskHome(folder, now), [server["server"]], clock=now) as engine:
        yield engine


def end_of(engine: EmbeddedEngine, run_id: str) -> RunView:
    *_, last = engine.follow(run_id)
    return last


def test_recorded_home_shows_its_runs(engine: EmbeddedEngine) -> None:
    states = {run.run_id: run.state for run in engine.runs()}
    assert states == {
        COMPLETED: "completed", FAILED: "error", CANCELLED: "error", ACTIVE: "running",
    }  # fmt: skip
    tasks = sorted(task.task for task in engine.tasks())
    assert tasks == ["audit", "extract", "load", "report", "wait"]

    completed, failed = engine.run(COMPLETED), engine.run(FAILED)
    assert {task.task: task.output for task in completed.tasks} == {
        "extract": {"rows": [1, 2, 3]}, "load": 6, "report": "6 sold",
    }  # fmt: skip
    error = {task.task: task.error for task in failed.tasks}["audit"]
    assert error is not None
    assert (error.type, error.message) == ("ValueError", "the books do not balance")
    assert engine.run(CANCELLED).cancelled


def test_recorded_home_keeps_logs_events_and_letters(engine: EmbeddedEngine) -> None:
    assert [line.text for line in engine.logs(COMPLETED)] == ["extracting monday", "INFO loading"]
    assert engine.events(FAILED) != []
    assert [event for event, _ in engine.dead_letters()] == ["this is no event"]
    for run_id in (COMPLETED, FAILED, CANCELLED):
        assert engine.replay(run_id).divergences == []


def test_recorded_run_that_was_interrupted_completes(
    engine: EmbeddedEngine, server: dict[str, Any]
) -> None:
    joined = engine.invoke(InvokeTask(task="wait"), join=True)
    assert joined == Invoked(ACTIVE, joined=True)

    server["is_released"].set()

    assert end_of(engine, ACTIVE).state == "completed"


def test_recorded_run_that_failed_is_retried(
    engine: EmbeddedEngine, server: dict[str, Any]
) -> None:
    server["is_fixed"].set()
    assert engine.command(RetryRun(run_id=FAILED)) is None

    ended = end_of(engine, FAILED)

    assert ended.state == "completed"
    assert {task.task: task.attempt for task in ended.tasks} == {
        "extract": 1, "load": 1, "audit": 2,
    }  # fmt: skip


def test_recorded_results_are_reused_and_keys_known(engine: EmbeddedEngine) -> None:
    again = engine.invoke(InvokeTask(task="report", key="completed", params={"day": "monday"}))
    assert again == Invoked(COMPLETED)

    fresh = engine.invoke(InvokeTask(task="report", params={"day": "monday"}))

    assert isinstance(fresh, Invoked)
    reasons = {task.task: task.reason for task in end_of(engine, fresh.run_id).tasks}
    assert reasons["load"] == "reused"
