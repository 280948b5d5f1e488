"""Incidents of the deployed system: published, listed, and closed when the cause is gone."""

import json
from typing import Any

from cordyna_core.contract.commands import RunTask
from cordyna_core.contract.ids import run_id_of
from cordyna_core.contract.incidents import IncidentClosed, IncidentOpened, incident_id
from e2e.cloud import Cloud, until
from e2e.scenarios import ended

SERVER = "server-with-an-owner"
SOURCE = f"cordyna.server.{SERVER}"
OWNER = "team-of-the-load"
CAUSE = incident_id("failed", "owned-load")


def run_of_owned_report(cloud: Cloud) -> str:
    """A run whose first task has been sent to a server of its own, which this test plays."""
    tasks = [
        {"name": "owned-load", "owner": OWNER},
        {"name": "owned-report", "upstream": ["owned-load"]},
    ]
    declared = {"server": SERVER, "contract": "1", "tasks": tasks}
    cloud.put("ServerDeclared", declared, source=SOURCE)
    until(lambda: cloud.dyna("plan", "owned-report").returncode == 0, within_s=20)
    run_id = run_id_of("owned-report", cloud.put("InvokeTask", {"task": "owned-report"}))
    until(lambda: cloud.of(RunTask, run_id), within_s=20)
    return run_id


def incidents(cloud: Cloud, *options: str) -> list[dict[str, Any]]:
    """What `dyna incidents` prints of the cause."""
    printed = cloud.dyna("incidents", "--json", *options)
    assert printed.returncode == 0, printed.stderr
    return [incident for incident in json.loads(printed.stdout) if incident["incident"] == CAUSE]


def test_failed_run_opens_an_incident_that_a_retry_closes(cloud: Cloud) -> None:
    run_id = run_of_owned_report(cloud)
    update = {"server": SERVER, "run_id": run_id, "task": "owned-load"}
    completed = update | {"attempt": 2, "state": "completed"}
    failed = {"attempt": 1, "state": "error", "reason": "failed_terminal"}
    error = {"type": "OSError", "message": "the disk is full"}

    cloud.put("TaskStateChanged", update | failed | {"error": error}, source=SOURCE)
    (opened,) = until(lambda: cloud.of(IncidentOpened, CAUSE), within_s=60)

    assert ended(cloud, run_id) == "error"
    assert (opened.message.owner, opened.message.run_id) == (OWNER, run_id)
    assert [blocked.task for blocked in opened.message.blocked] == ["owned-report"]
    (listed,) = incidents(cloud)
    assert (listed["state"], listed["times"]) == ("open", 1)
    assert listed["error"]["message"] == "the disk is full"

    cloud.put("RetryRun", {"run_id": run_id})
    until(lambda: cloud.of(RunTask, run_id, task="owned-load", attempt=2), within_s=20)
    cloud.put("TaskStateChanged", completed, source=SOURCE)
    until(lambda: cloud.of(IncidentClosed, CAUSE), within_s=60)

    (closed,) = incidents(cloud, "--all")
    assert closed["state"] == "closed"
    assert incidents(cloud) == []
    completed |= {"task": "owned-report", "attempt": 1}
    cloud.put("TaskStateChanged", completed, source=SOURCE)
    until(lambda: cloud.shown(run_id)["state"] == "completed", within_s=20)
