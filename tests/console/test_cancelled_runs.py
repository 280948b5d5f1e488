"""What the page shows of a run that was cancelled, and of bodies that fail in odd ways."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from starlette.testclient import TestClient

from cerebro.embedded.embedded_engine import EmbeddedEngine
from cerebro.embedded.storage.home import MemoryHome
from console.consoles import a_client, a_console, finished, get
from cordyna_cli.engine import Invoked
from cordyna_core import TaskServer
from cordyna_core.contract.commands import CancelRun, InvokeTask


def customs() -> TaskServer:
    """`inspect` never ends by itself; `papers` fails; `stamp` fails without a traceback."""
    server = TaskServer("customs", owner="team-customs")

    @server.task()
    async def inspect() -> None:
        await asyncio.Event().wait()

    @server.task()
    def papers() -> None:
        raise ValueError("no stamp")

    @server.task()
    def coloured() -> None:
        raise ValueError("\x1b[31mred\x1b[0m ink")

    server.task(name="stamp")(object)
    server.task(name="release", upstream=["inspect"])(lambda day="today": None)
    server.task(name="clear", upstream=["inspect", "papers"])(lambda: None)
    return server


@pytest.fixture
def engine() -> Iterator[EmbeddedEngine]:
    with EmbeddedEngine(MemoryHome(), [customs()]) as engine:
        engine.tasks()
        yield engine


@pytest.fixture
def client(engine: EmbeddedEngine) -> TestClient:
    return a_client(a_console(engine))


def cancelled(
    engine: EmbeddedEngine, task: str, *, once: str, params: dict[str, Any] | None = None
) -> str:
    """Cancel a run when it is `once`; return its id."""
    answer = engine.invoke(InvokeTask(task=task, params=params or {}))
    assert isinstance(answer, Invoked)
    next(view for view in engine.follow(answer.run_id) if view.state == once)
    assert engine.command(CancelRun(run_id=answer.run_id)) is None
    return answer.run_id


def test_cancelled_run_names_no_cause_and_who_cancelled(
    engine: EmbeddedEngine, client: TestClient
) -> None:
    run_id = cancelled(engine, "release", once="running")
    (row,) = get(client, "/runs")["rows"]
    assert (row["cancelled"], row["root_cause"]) == (True, None)
    head, facts = get(client, f"/runs/{run_id}"), get(client, f"/runs/{run_id}/facts")
    for why in (head["why"], facts["why"]):
        assert why["sentence"] == "release was cancelled."
        assert [line.startswith("cancelled by a client at ") for line in why["beside"]] == [True]
    task = get(client, f"/runs/{run_id}/tasks/inspect")
    assert any("cancelled by a client at " in line for line in task["why"]["beside"])


def test_step_that_invokes_again_has_the_params_of_the_run(
    engine: EmbeddedEngine, client: TestClient
) -> None:
    run_id = cancelled(engine, "release", once="running", params={"day": "monday"})
    step = get(client, f"/runs/{run_id}")["why"]["next"]
    assert (step["do"], step["task"], step["params"]) == ("do", "release", {"day": "monday"})
    assert step["command"] == "dyna do release -p day=monday"


def test_cancelled_run_names_what_failed_before(engine: EmbeddedEngine, client: TestClient) -> None:
    cancelled(engine, "clear", once="failing")
    (row,) = get(client, "/runs")["rows"]
    assert (row["cancelled"], row["root_cause"]["task"]) == (True, "papers")


def test_body_that_printed_nothing_has_no_step_to_its_log(
    engine: EmbeddedEngine, client: TestClient
) -> None:
    run = finished(engine, "stamp")
    for address in (f"/runs/{run.run_id}", f"/runs/{run.run_id}/tasks/stamp"):
        why = get(client, address)["why"]
        assert why["next"]["do"] == "retry"
        assert "it printed nothing" in why["beside"]


def test_error_is_shown_without_control_sequences(
    engine: EmbeddedEngine, client: TestClient
) -> None:
    run = finished(engine, "coloured")

    error = get(client, f"/runs/{run.run_id}/tasks/coloured")["error"]
    (incident,) = get(client, "/incidents")["rows"]

    for shown in (error, incident["error"]):
        assert shown["message"] == "red ink"
        assert shown["traceback"].endswith("ValueError: red ink\n")
    assert incident["summary"] == "coloured failed: ValueError: red ink"
