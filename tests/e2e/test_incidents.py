"""Incidents of the deployed system: published, listed, and closed when the cause is gone."""

import json
from typing import Any

from cordyna_core.contract.commands import RunTask
from cordyna_core.contract.ids import run_id_of
from cordyna_core.contract.incidents import IncidentClosed, IncidentOpened, incident_id
from cordyna_core.contract.state_updates import DeclarationAccepted, RunStateChanged
from e2e.cloud import Cloud, Published, until
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
    opened = until(lambda: cloud.of(IncidentOpened, CAUSE), within_s=60)[-1]

    assert ended(cloud, run_id) == "error"
    assert (opened.message.owner, opened.message.run_id) == (OWNER, run_id)
    assert [blocked.task for blocked in opened.message.blocked] == ["owned-report"]
    (listed,) = incidents(cloud)
    assert (listed["state"], listed["times"]) == ("open", 1)
    assert listed["error"]["message"] == "the disk is full"

    retry = cloud.put("RetryRun", {"run_id": run_id})
    until(lambda: cloud.of(RunTask, run_id, task="owned-load", attempt=2), within_s=20)
    (answer,) = [e for e in cloud.of(RunStateChanged, run_id) if caused_by(e, retry)]
    assert answer.message.state == "running"
    cloud.put("TaskStateChanged", completed, source=SOURCE)
    until(lambda: cloud.of(IncidentClosed, CAUSE), within_s=60)

    (closed,) = incidents(cloud, "--all")
    assert closed["state"] == "closed"
    assert incidents(cloud) == []
    completed |= {"task": "owned-report", "attempt": 1}
    cloud.put("TaskStateChanged", completed, source=SOURCE)
    until(lambda: cloud.shown(run_id)["state"] == "completed", within_s=20)


def caused_by(published: Published[Any], event_id: str) -> bool:
    meta = published.message.meta
    return meta is not None and meta.cause == event_id


def test_declaration_that_is_taken_back_closes_its_rejection(cloud: Cloud) -> None:
    server, incident = "server-that-errs", incident_id("rejected_declaration", "server-that-errs")
    source = f"cordyna.server.{server}"
    good = {"server": server, "contract": "1", "tasks": [{"name": "sound", "owner": OWNER}]}
    cycle = good | {"tasks": [{"name": "sound", "upstream": ["sound"]}]}
    accepted = cloud.put("ServerDeclared", good, source=source)
    until(lambda: cloud.of(DeclarationAccepted, accepted), within_s=20)
    cloud.put("ServerDeclared", cycle, source=source)
    opened = until(lambda: cloud.of(IncidentOpened, incident), within_s=60)[-1]
    assert (opened.message.owner, opened.message.reason) == (OWNER, "cycle")
    until(lambda: "rejected" in cloud.dyna("incidents", "--owner", OWNER).stdout, within_s=20)

    cloud.put("ServerDeclared", good, source=source)

    until(lambda: cloud.of(IncidentClosed, incident), within_s=60)
