"""A deployed server holds `started` back by default: a short body is one update, and shows its
start; a body that keeps Python's global lock is reported as started all the same.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from cordyna_core.contract.ids import run_id_of
from cordyna_core.contract.state_updates import TaskStateChanged
from e2e.cloud import Cloud
from e2e.scenarios import ended
from e2e.team_app import TeamApp

APP = """
from aws_cdk import App, Stack
from cordyna_cdk import TaskServer

app = App()
TaskServer(
    Stack(app, "task-server-brief"),
    "Server",
    code=app.node.get_context("cordyna:code"),
    server="brief_server:server",
    max_concurrency="unlimited",
)
app.synth()
"""

SERVER = '''
import ctypes
from cordyna_core import TaskServer

server = TaskServer("task-server-brief", owner="team-e2e")


@server.task()
def brief() -> str:
    """Ends within the hold."""
    return "done"


@server.task(retries=1)
def greedy(seconds: int) -> str:
    """Keeps Python's global lock: a call by PyDLL does not release it."""
    ctypes.PyDLL(None).sleep(seconds)
    return "done"
'''


@pytest.fixture(scope="module")
def deployed(cloud: Cloud, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    folder: Path = tmp_path_factory.mktemp("brief")
    code = folder / "src"
    code.mkdir()
    (code / "brief_server.py").write_text(SERVER)
    app = TeamApp.write(APP, cloud, folder, code=str(code))
    app.deploy()
    yield cloud
    app.delete()


def test_short_body_is_one_update_by_default(deployed: Cloud) -> None:
    # The first one warms the function up: before its process is ready, nothing is held.
    for _ in range(2):
        run_id = run_id_of("brief", deployed.put("InvokeTask", {"task": "brief"}))
        assert ended(deployed, run_id) == "completed"
    updates = deployed.of(TaskStateChanged, run_id, task="brief")
    assert [event.message.state for event in updates] == ["completed"]
    timeline = deployed.shown(run_id)["tasks"]["brief"]["timeline"]
    assert [entry["state"] for entry in timeline] == ["pending", "started", "completed"]
    began = datetime.fromisoformat(timeline[1]["at"])
    assert updates[0].message.started_at == began
    assert "s after the attempt began" in deployed.dyna("why", run_id, "brief").stdout


def test_body_that_keeps_the_gil_is_started_in_time(deployed: Cloud) -> None:
    """It takes longer than the clock of acknowledgement, after which it would be run again."""
    invoked = deployed.put("InvokeTask", {"task": "greedy", "params": {"seconds": 13}})
    run_id = run_id_of("greedy", invoked)
    assert ended(deployed, run_id) == "completed"
    started, completed = deployed.of(TaskStateChanged, run_id, task="greedy")
    assert (started.message.state, completed.message.state) == ("started", "completed")
    assert completed.sent_at - started.sent_at > timedelta(seconds=5)
    timeline = deployed.shown(run_id)["tasks"]["greedy"]["timeline"]
    assert [entry["state"] for entry in timeline] == ["pending", "started", "completed"]
