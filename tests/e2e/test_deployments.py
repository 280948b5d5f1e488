"""Servers, containers, functions and dead letters of the deployed system, in real time."""

import json
import os
import re
import signal
import time
import uuid
from collections import Counter
from pathlib import Path

import pytest

from cordyna_core.contract.commands import InvokeTask
from cordyna_core.contract.declaration import ServerDeclared
from cordyna_core.contract.ids import run_id_of
from cordyna_core.contract.state_updates import (
    DeclarationIgnored,
    ServerRemoved,
    TaskStateChanged,
)
from e2e.cloud import BUS, Cloud, until
from e2e.container import Container, EcsAgent
from e2e.scenarios import (
    Fragile,
    dead_letters_with,
    ended,
    queue_is_empty,
)
from e2e.team import LEAVING, SERVER, Team


def test_redeployed_server_declares_its_new_task(cloud: Cloud, team: Team) -> None:
    assert cloud.dyna("plan", "added").returncode == 3
    team.add_a_task()
    team.app.deploy()
    until(lambda: cloud.dyna("plan", "added").returncode == 0, within_s=30)
    done = cloud.dyna("do", "added", "--json")
    assert done.returncode == 0, done.stderr
    added = json.loads(done.stdout)["tasks"][-1]
    assert (added["server"], added["state"]) == (SERVER, "completed")


def test_roll_call_makes_every_server_declare_itself(cloud: Cloud, tmp_path: Path) -> None:
    def declared() -> list[str]:
        return sorted(e.message.server for e in cloud.of(ServerDeclared, "task-server-"))

    before = declared()
    payload = tmp_path / "payload"
    payload.write_text(json.dumps({"roll_call": True}))
    cloud.aws(
        "lambda",
        "invoke",
        "--function-name",
        f"{BUS}-sweeper",
        "--payload",
        f"fileb://{payload}",
        os.devnull,
    )
    # The third server is a container; its first worker would answer.
    until(
        lambda: (
            {"task-server-a", "task-server-b"}
            <= set((Counter(declared()) - Counter(before)).keys())
        ),
        within_s=30,
    )


def test_killed_worker_is_reported_within_a_minute(
    cloud: Cloud, team: Team, tmp_path: Path
) -> None:
    pid = tmp_path / "pid"
    run_id = run_id_of(
        "killed", cloud.put("InvokeTask", {"task": "killed", "params": {"pid_file": str(pid)}})
    )
    until(lambda: pid.exists() and pid.read_text(), within_s=20)
    # Its server holds `started` back for a second.
    until(lambda: cloud.of(TaskStateChanged, run_id, state="started"), within_s=20)

    os.kill(int(pid.read_text()), signal.SIGKILL)

    assert ended(cloud, run_id) == "error"
    (started,) = cloud.of(TaskStateChanged, run_id, state="started")
    (error,) = cloud.of(TaskStateChanged, run_id, state="error")
    assert (error.source, error.message.reason) == (f"cordyna.server.{SERVER}", "worker_died")
    assert (error.sent_at - started.sent_at).total_seconds() <= 60


def test_older_declaration_is_ignored_loudly(cloud: Cloud, team: Team) -> None:
    older = {"server": SERVER, "contract": "1", "revision": 7, "tasks": [{"name": "older"}]}

    cloud.put("ServerDeclared", older, source=f"cordyna.server.{SERVER}")

    (ignored,) = until(lambda: cloud.of(DeclarationIgnored, SERVER, revision=7), within_s=60)
    assert ignored.message.accepted_revision > 1_700_000_000
    assert cloud.dyna("plan", "steady").returncode == 0
    assert cloud.dyna("plan", "older").returncode == 3


def test_deleted_stack_removes_its_tasks_and_crons(
    cloud: Cloud, tmp_path_factory: pytest.TempPathFactory
) -> None:
    def crons() -> list[str]:
        listed = cloud.aws("scheduler", "list-schedules", "--group-name", BUS)
        return [each["Name"] for each in listed["Schedules"] if "leaving" in each["Name"]]

    leaving = Team(
        cloud, tmp_path_factory.mktemp("leaving"), server="task-server-leaving", code=LEAVING
    )
    leaving.app.deploy()
    assert cloud.dyna("plan", "leaving").returncode == 0
    assert len(until(crons, within_s=20)) == 1

    leaving.app.delete()

    assert cloud.of(ServerRemoved, "task-server-leaving")
    assert cloud.dyna("plan", "leaving").returncode == 3
    until(lambda: not crons(), within_s=20)


def test_container_started_late_runs_queued_commands(cloud: Cloud, container: Container) -> None:
    run_id = run_id_of("archive-sales", cloud.put("InvokeTask", {"task": "archive-sales"}))
    until(
        lambda: cloud.of(TaskStateChanged, run_id, task="archive-sales", state="queued"),
        within_s=30,
    )
    time.sleep(12)  # longer than the clock of acknowledgement
    assert cloud.shown(run_id)["tasks"]["archive-sales"]["state"] == "queued"

    container.start()
    assert ended(cloud, run_id) == "completed"
    assert container.stop() == 0


def a_body(cloud: Cloud, rounds: int) -> str:
    """A run of one body in the container; it takes some milliseconds a round."""
    command = {"task": "archive-sales", "params": {"rounds": rounds}}
    return run_id_of("archive-sales", cloud.put("InvokeTask", command))


def started_body(cloud: Cloud, rounds: int) -> str:
    """The same once its body is reported as started: it takes more than a second."""
    run_id = a_body(cloud, rounds)
    of_body = {"task": "archive-sales", "state": "started"}
    until(lambda: cloud.of(TaskStateChanged, run_id, **of_body), within_s=60)
    return run_id


def test_body_of_a_container_survives_a_deployment(
    cloud: Cloud, container: Container, tmp_path: Path
) -> None:
    """ECS asks the old instance to stop while its body runs; the new one takes what follows."""
    with EcsAgent() as agent:
        container.start(ECS_AGENT_URI=agent.address)
        run_id = started_body(cloud, rounds=400)
        assert agent.protected[-1] is True, "the deployment waits for this instance"
        (tmp_path / "new").mkdir()
        new = Container(cloud, tmp_path / "new")
        container.terminate()
        new.start()
        try:
            assert ended(cloud, run_id, within_s=100) == "completed"
            assert container.wait() == 0
            assert agent.protected[-1] is False, "it ends with the body"
            assert len(cloud.of(TaskStateChanged, run_id, task="archive-sales", state="error")) == 0
            assert cloud.shown(run_id)["tasks"]["archive-sales"]["attempt"] == 1
            assert ended(cloud, a_body(cloud, rounds=1)) == "completed"
        finally:
            assert new.stop() == 0


def test_body_that_outlives_its_container_is_killed_in_time(
    cloud: Cloud, container: Container
) -> None:
    container.start(CORDYNA_DRAIN_S="2")
    run_id = started_body(cloud, rounds=100_000)

    container.terminate()

    assert ended(cloud, run_id) == "error"
    (error,) = cloud.of(TaskStateChanged, run_id, task="archive-sales", state="error")
    assert (error.source, error.message.reason) == ("cordyna.server.task-server-c", "killed")
    assert container.wait() == 0


def test_failing_message_is_dead_lettered_and_redriven(
    cloud: Cloud,
) -> None:
    planner = Fragile(cloud, f"{BUS}-planner")
    planner.break_table()
    # A key of its own: a second run of this test on the same cloud must not join the first.
    key = f"after the fix {uuid.uuid4()}"
    try:
        event_id = cloud.put("InvokeTask", {"task": "task-1", "key": key})
        run_id = run_id_of("task-1", key)
        until(lambda: f"{BUS}-planner-dead-letters" in cloud.dyna("dlq", "ls").stdout, within_s=60)
        # A cron tick may have arrived there first; ours has, too, when the queue is empty.
        until(lambda: queue_is_empty(cloud, f"{BUS}-planner"), within_s=30)
    finally:
        planner.repair()
    assert cloud.of(InvokeTask, event_id) or cloud.of(InvokeTask, key)
    assert cloud.dyna("show", run_id).returncode == 3

    redriven = cloud.dyna("dlq", "redrive", f"{BUS}-planner-dead-letters")

    # At least this one: the tick of the minute may have arrived at the broken planner, too.
    assert re.fullmatch(r"[1-9]\d* messages? put back\n", redriven.stdout)
    assert ended(cloud, run_id) == "completed"


def test_malformed_message_is_dead_lettered_with_its_reason(cloud: Cloud) -> None:
    cloud.put(
        "TaskStateChanged",
        {"server": "task-server-a", "attempt": "many"},
        source="cordyna.server.task-server-a",
    )
    listed = until(lambda: dead_letters_with(cloud, "attempt"), within_s=20)
    assert f"{BUS}-tracker-dead-letters" in listed
    # What is no longer wanted is purged, as an operator does it.
    url = cloud.aws("sqs", "get-queue-url", "--queue-name", f"{BUS}-tracker-dead-letters")
    cloud.aws("sqs", "purge-queue", "--queue-url", url["QueueUrl"])
