"""A deployed server that holds `started` back: a short body is one update, and shows its start."""

from datetime import datetime, timedelta
from pathlib import Path

from cordyna_core.contract.ids import run_id_of
from cordyna_core.contract.state_updates import TaskStateChanged
from e2e.cloud import Cloud
from e2e.scenarios import ended
from e2e.team_app import TeamApp

APP = """
from aws_cdk import App, Duration, Stack
from cordyna_cdk import TaskServer

app = App()
TaskServer(
    Stack(app, "task-server-brief"),
    "Server",
    code=app.node.get_context("cordyna:code"),
    server="brief_server:server",
    max_concurrency="unlimited",
    started_after=Duration.seconds(4),
)
app.synth()
"""

SERVER = '''
import time
from cordyna_core import TaskServer

server = TaskServer("task-server-brief", owner="team-e2e")


@server.task()
def brief() -> str:
    """Ends within the hold."""
    time.sleep(1)
    return "done"
'''


def test_short_body_of_a_holding_server_is_one_update(cloud: Cloud, tmp_path: Path) -> None:
    code = tmp_path / "src"
    code.mkdir()
    (code / "brief_server.py").write_text(SERVER)
    app = TeamApp.write(APP, cloud, tmp_path, code=str(code))
    app.deploy()
    try:
        # The first one warms the function up: a slow start leaves no time to hold anything.
        for _ in range(2):
            run_id = run_id_of("brief", cloud.put("InvokeTask", {"task": "brief"}))
            assert ended(cloud, run_id) == "completed"
        updates = cloud.of(TaskStateChanged, run_id, task="brief")
        assert [event.message.state for event in updates] == ["completed"]
        timeline = cloud.shown(run_id)["tasks"]["brief"]["timeline"]
        assert [entry["state"] for entry in timeline] == ["pending", "started", "completed"]
        began, ended_at = (datetime.fromisoformat(entry["at"]) for entry in timeline[1:])
        assert updates[0].message.started_at == began
        assert timedelta(seconds=1) <= ended_at - began < timedelta(seconds=4)
        assert "s after the attempt began" in cloud.dyna("why", run_id, "brief").stdout
    finally:
        app.delete()
