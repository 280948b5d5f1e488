"""Runs on the deployed system in real time, by the real AWS CLI and by dyna."""

import json
from datetime import UTC, datetime, timedelta

from cordyna_core.contract.commands import CancelTask, InvokeTask, RunTask
from cordyna_core.contract.ids import run_id_of
from cordyna_core.contract.state_updates import (
    InvocationRejected,
    RunStateChanged,
    TaskStateChanged,
)
from cordyna_core.queued_hold import HOLD_S
from e2e.cloud import BUS, Cloud, until
from e2e.scenarios import (
    SILENT,
    SOURCE,
    acknowledged,
    ended,
    queue_is_empty,
    run_id_in,
    run_of_silent_server,
)
from e2e.team import Team


def test_event_of_the_aws_cli_runs_task_3_in_order(cloud: Cloud) -> None:
    run_id = run_id_of("task-3", cloud.put("InvokeTask", {"task": "task-3"}))

    assert ended(cloud, run_id) == "completed"

    order = [(e.message.server, e.message.task) for e in cloud.of(RunTask, run_id)]
    assert sorted(order[:2]) == [("task-server-a", "stock-levels"), ("task-server-a", "task-1")]
    assert order[2:] == [("task-server-b", "task-2"), ("task-server-b", "task-3")]
    commands = {e.message.task: e.sent_at for e in cloud.of(RunTask, run_id)}
    completed = {
        e.message.task: e.sent_at for e in cloud.of(TaskStateChanged, run_id, state="completed")
    }
    assert completed["stock-levels"] <= commands["task-2"]
    assert max(completed["task-1"], completed["task-2"]) <= commands["task-3"]
    # Team b has a work queue: what does not begin soon is acknowledged. Team a has none.
    queued = {e.message.task: e.sent_at for e in cloud.of(TaskStateChanged, run_id, state="queued")}
    assert set(queued) <= {"task-2", "task-3"}
    for task, sent_at in queued.items():
        assert (sent_at - commands[task]).total_seconds() >= HOLD_S
    assert cloud.shown(run_id)["tasks"]["task-3"]["output"]["day"] == "2026-10-25"


def test_dyna_do_shows_events_and_logs(cloud: Cloud) -> None:
    done = cloud.dyna("do", "task-3", "-p", "top=3", "--json")
    assert done.returncode == 0, done.stderr
    run_id = json.loads(done.stdout)["run_id"]
    events, logs, doctor = (
        cloud.dyna("events", run_id),
        cloud.dyna("logs", run_id),
        cloud.dyna("doctor"),
    )
    assert events.stdout.count("RunTask") == 4
    assert "InvokeTask" in events.stdout
    assert "report for" in logs.stdout
    assert doctor.returncode == 0, doctor.stdout


def test_refusal_is_reported_with_its_exit_status(cloud: Cloud) -> None:
    unknown, bad = cloud.dyna("do", "undeclared-task"), cloud.dyna("do", "task-3", "-p", "top=many")
    assert (unknown.returncode, bad.returncode) == (3, 1)
    assert "no server declares it" in unknown.stderr
    assert cloud.of(InvocationRejected, "undeclared-task")


def test_failed_task_blocks_only_its_downstream(cloud: Cloud) -> None:
    done = cloud.dyna("do", "weekly-digest", "--json")
    assert done.returncode == 1
    tasks = acknowledged(cloud, json.loads(done.stdout)["run_id"])
    assert {task: (shown["state"], shown["reason"]) for task, shown in tasks.items()} == {
        "supplier-prices": ("error", "failed_terminal"),
        "supplier-comparison": ("pending", "blocked"),
        "weekly-digest": ("pending", "blocked"),
        **dict.fromkeys(
            ("stock-levels", "week-sales", "sales-trend", "thumbnail", "catalogue-page"),
            ("completed", None),
        ),
    }


def test_silent_server_expires_after_10_to_12_seconds(
    cloud: Cloud,
) -> None:
    run_id = run_of_silent_server(cloud, "unanswered")

    assert ended(cloud, run_id) == "error"

    (command,) = cloud.of(RunTask, run_id)
    (error,) = cloud.of(TaskStateChanged, run_id, state="error")
    assert error.source == "cordyna.cerebro"
    assert error.message.reason == "ack_timeout"
    assert 10 <= (error.sent_at - command.sent_at).total_seconds() <= 12


def test_update_of_another_server_changes_nothing(cloud: Cloud) -> None:
    run_id = run_of_silent_server(cloud, "forged")
    forged = {"run_id": run_id, "task": "forged", "attempt": 1, "state": "completed"}

    cloud.put(
        "TaskStateChanged", forged | {"server": SILENT}, source="cordyna.server.task-server-b"
    )
    cloud.put(
        "TaskStateChanged",
        forged | {"server": "task-server-b"},
        source="cordyna.server.task-server-b",
    )
    cloud.put("TaskStateChanged", forged | {"server": SILENT}, source="cordyna.client")
    # An update of the owner is accepted.
    cloud.put(
        "TaskStateChanged",
        forged | {"server": SILENT, "state": "started"},
        source=SOURCE,
    )

    until(lambda: cloud.shown(run_id)["tasks"]["forged"]["state"] == "started", within_s=9)
    assert cloud.dyna("cancel", run_id).returncode == 0
    timeline = cloud.shown(run_id)["tasks"]["forged"]["timeline"]
    # On a busy machine the acknowledge clock may expire before; `started` heals that.
    assert {entry["by"] for entry in timeline} == {"cordyna.cerebro", SOURCE}
    assert "completed" not in {entry["state"] for entry in timeline}


def test_cancelled_run_stops(cloud: Cloud) -> None:
    run_id = run_of_silent_server(cloud, "after-late")
    update = {"server": SILENT, "run_id": run_id, "task": "late", "attempt": 1}
    cloud.put("TaskStateChanged", update | {"state": "started"}, source=SOURCE)
    until(lambda: cloud.shown(run_id)["tasks"]["late"]["state"] == "started", within_s=9)

    cancelled = cloud.dyna("cancel", run_id)

    assert cancelled.returncode == 0, cancelled.stderr
    assert ended(cloud, run_id) == "error"
    (stop,) = cloud.of(CancelTask, run_id)
    assert (stop.message.server, stop.message.task, stop.message.attempt) == (SILENT, "late", 1)
    # Its server completes it all the same, which changes nothing.
    cloud.put("TaskStateChanged", update | {"state": "completed"}, source=SOURCE)
    until(lambda: cloud.of(TaskStateChanged, run_id, state="completed"), within_s=20)
    until(lambda: queue_is_empty(cloud, f"{BUS}-tracker"), within_s=20)
    shown = cloud.shown(run_id)
    assert (shown["state"], shown["tasks"]["late"]["state"], shown["tasks"]["late"]["reason"]) == (
        "error",
        "error",
        "cancelled",
    )
    assert [e.message.task for e in cloud.of(RunTask, run_id)] == ["late"]


def test_completion_after_the_clock_heals_the_run(cloud: Cloud) -> None:
    run_id = run_of_silent_server(cloud, "after-late")
    assert ended(cloud, run_id) == "error"
    update = {"server": SILENT, "run_id": run_id, "attempt": 1, "state": "completed"}

    cloud.put("TaskStateChanged", update | {"task": "late"}, source=SOURCE)
    until(lambda: cloud.of(RunTask, run_id, task="after-late"), within_s=20)
    cloud.put("TaskStateChanged", update | {"task": "after-late"}, source=SOURCE)

    until(lambda: cloud.shown(run_id)["state"] == "completed", within_s=20)
    states = [e.message.state for e in cloud.of(RunStateChanged, run_id)]
    assert states == ["running", "failing", "error", "running", "completed"]
    assert [e.message.task for e in cloud.of(RunTask, run_id)] == ["late", "after-late"]


def test_retry_runs_only_failed_and_blocked_tasks(cloud: Cloud, team: Team) -> None:
    failed = cloud.dyna("do", "depending", "--json")
    assert failed.returncode == 1
    run_id = json.loads(failed.stdout)["run_id"]
    team.needed.write_text("there")

    retried = cloud.dyna("retry", run_id)

    assert retried.returncode == 0, retried.stderr
    assert cloud.shown(run_id)["tasks"]["depending"]["output"] == ["steady", "there"]
    order = [(e.message.task, e.message.attempt) for e in cloud.of(RunTask, run_id)]
    assert order == [("steady", 1), ("flaky", 1), ("flaky", 2), ("depending", 1)]


def test_cron_of_every_minute_fires(cloud: Cloud) -> None:
    def of_a_tick() -> list[str]:
        runs = json.loads(cloud.dyna("runs", "-n", "200", "--json").stdout)
        return [run["run_id"] for run in runs if run["task"] == "order-pulse"]

    seen = set(of_a_tick())
    fired = until(
        lambda: [run_id for run_id in of_a_tick() if run_id not in seen], within_s=75, every_s=2
    )
    assert ended(cloud, fired[0]) == "completed"
    (command,) = [e for e in cloud.of(InvokeTask, "order-pulse") if run_id_in(e) == fired[0]]
    assert command.source == "cordyna.scheduler"
    assert isinstance(command.message, InvokeTask)
    assert command.message.scheduled_at is not None
    assert command.message.scheduled_at.second == 0
    assert 0 <= (command.sent_at - command.message.scheduled_at).total_seconds() < 10


def test_late_cron_tick_is_reported_as_missed(cloud: Cloud) -> None:
    nominal = datetime.now(UTC).replace(second=0, microsecond=0) - timedelta(minutes=10)
    url = cloud.aws("sqs", "get-queue-url", "--queue-name", f"{BUS}-timekeeper")["QueueUrl"]

    # As Scheduler sends it, ten minutes late.
    tick = json.dumps({"tick": {"task": "order-pulse", "nominal": f"{nominal:%Y-%m-%dT%H:%M:%SZ}"}})
    cloud.aws("sqs", "send-message", "--queue-url", url, "--message-body", tick)

    (missed,) = until(
        lambda: [
            e
            for e in cloud.of(InvocationRejected, "missed_tick")
            if f"{nominal:%Y-%m-%d %H:%MZ}" in str(e.message)
        ],
        within_s=20,
    )
    (problem,) = missed.message.problems
    assert "order-pulse" in problem.message
    assert "invoke it by hand" in problem.message
