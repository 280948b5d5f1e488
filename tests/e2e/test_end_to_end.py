"""What a person sees when cordyna is deployed: everything in real time, by the real AWS CLI and by dyna."""

import json
import os
import re
import signal
import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cordyna_core.contract.commands import CancelTask, InvokeTask, RunTask
from cordyna_core.contract.declaration import ServerDeclared
from cordyna_core.contract.ids import run_id_of
from cordyna_core.contract.state_updates import (
    InvocationRejected,
    RunStateChanged,
    TaskStateChanged,
)
from e2e.cloud import BUS, Cloud, until
from e2e.container import Container
from e2e.team import SERVER, Team

SILENT = "server-that-is-silent"


def ended(cloud: Cloud, run_id: str, *, within_s: float = 60) -> str:
    """How a run ended."""
    states = ("completed", "error")
    found = until(
        lambda: [e for e in cloud.of(RunStateChanged, run_id) if e.message.state in states],  # type: ignore[attr-defined]
        within_s=within_s,
    )
    return str(found[-1].message.state)  # type: ignore[attr-defined]


def test_an_event_by_the_aws_cli_runs_task_3_across_both_servers_in_order(cloud: Cloud) -> None:
    run_id = run_id_of("task-3", cloud.put("InvokeTask", {"task": "task-3"}))

    assert ended(cloud, run_id) == "completed"

    order = [(e.message.server, e.message.task) for e in cloud.of(RunTask, run_id)]  # type: ignore[attr-defined]
    assert sorted(order[:2]) == [("task-server-a", "stock-levels"), ("task-server-a", "task-1")]
    assert order[2:] == [("task-server-b", "task-2"), ("task-server-b", "task-3")]
    said = [(e.message.task, e.message.state) for e in cloud.of(TaskStateChanged, run_id)]  # type: ignore[attr-defined]
    assert said.index(("stock-levels", "completed")) < said.index(("task-2", "queued"))
    assert max(
        said.index(("task-1", "completed")), said.index(("task-2", "completed"))
    ) < said.index(("task-3", "queued"))
    # Team b stands behind a door; team a does not.
    assert ("task-1", "queued") not in said
    assert cloud.shown(run_id)["tasks"]["task-3"]["output"]["day"] == "2026-10-25"


def test_dyna_does_a_task_and_shows_what_passed_and_what_was_printed(cloud: Cloud) -> None:
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


def test_a_refusal_is_told_and_exits_so(cloud: Cloud) -> None:
    unknown, bad = cloud.dyna("do", "task-nobody-has"), cloud.dyna("do", "task-3", "-p", "top=many")
    assert (unknown.returncode, bad.returncode) == (3, 1)
    assert "no server declares it" in unknown.stderr
    assert cloud.of(InvocationRejected, "task-nobody-has")


def test_a_task_that_fails_blocks_only_what_is_downstream_of_it(cloud: Cloud) -> None:
    done = cloud.dyna("do", "weekly-digest", "--json")
    assert done.returncode == 1
    states = {
        task["task"]: (task["state"], task["reason"]) for task in json.loads(done.stdout)["tasks"]
    }
    assert states == {
        "supplier-prices": ("error", "failed_terminal"),
        "supplier-comparison": ("pending", "blocked"),
        "weekly-digest": ("pending", "blocked"),
        **dict.fromkeys(
            ("stock-levels", "week-sales", "sales-trend", "thumbnail", "catalogue-page"),
            ("completed", None),
        ),
    }


def test_a_server_that_does_not_answer_is_told_by_the_clock_after_10_to_12_seconds(
    cloud: Cloud,
) -> None:
    run_id = a_run_of_the_silent_server(cloud, "unheard")

    assert ended(cloud, run_id) == "error"

    (command,) = cloud.of(RunTask, run_id)
    (error,) = cloud.of(TaskStateChanged, run_id, state="error")
    assert error.source == "cordyna.cerebro"
    assert error.message.reason == "ack_timeout"  # type: ignore[attr-defined]
    assert 10 <= (error.said_at - command.said_at).total_seconds() <= 12


def test_what_another_server_says_of_a_task_changes_nothing(cloud: Cloud) -> None:
    run_id = a_run_of_the_silent_server(cloud, "forged")
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
    # What the owner itself says is heard.
    cloud.put(
        "TaskStateChanged",
        forged | {"server": SILENT, "state": "started"},
        source=f"cordyna.server.{SILENT}",
    )

    until(lambda: cloud.shown(run_id)["tasks"]["forged"]["state"] == "started", within_s=9)
    assert cloud.dyna("cancel", run_id).returncode == 0
    said = [
        (entry["state"], entry["by"])
        for entry in cloud.shown(run_id)["tasks"]["forged"]["timeline"]
    ]
    assert said == [
        ("pending", "cordyna.cerebro"),
        ("started", f"cordyna.server.{SILENT}"),
        ("error", "cordyna.cerebro"),
    ]


def test_a_cancelled_run_stops(cloud: Cloud) -> None:
    run_id = a_run_of_the_silent_server(cloud, "after-late")
    said = {"server": SILENT, "run_id": run_id, "task": "late", "attempt": 1}
    cloud.put("TaskStateChanged", said | {"state": "started"}, source=f"cordyna.server.{SILENT}")
    until(lambda: cloud.shown(run_id)["tasks"]["late"]["state"] == "started", within_s=9)

    cancelled = cloud.dyna("cancel", run_id)

    assert cancelled.returncode == 0, cancelled.stderr
    assert ended(cloud, run_id) == "error"
    (stop,) = cloud.of(CancelTask, run_id)
    assert (stop.message.server, stop.message.task, stop.message.attempt) == (SILENT, "late", 1)  # type: ignore[attr-defined]
    # Its server did not stop in time, and nothing comes of it.
    cloud.put("TaskStateChanged", said | {"state": "completed"}, source=f"cordyna.server.{SILENT}")
    until(lambda: cloud.of(TaskStateChanged, run_id, state="completed"), within_s=20)
    until(lambda: nothing_waits(cloud, f"{BUS}-tracker"), within_s=20)
    shown = cloud.shown(run_id)
    assert (shown["state"], shown["tasks"]["late"]["state"], shown["tasks"]["late"]["reason"]) == (
        "error",
        "error",
        "cancelled",
    )
    assert [e.message.task for e in cloud.of(RunTask, run_id)] == ["late"]  # type: ignore[attr-defined]


def test_a_completion_that_comes_after_the_clock_heals_the_run(cloud: Cloud) -> None:
    run_id = a_run_of_the_silent_server(cloud, "after-late")
    assert ended(cloud, run_id) == "error"
    said = {"server": SILENT, "run_id": run_id, "attempt": 1, "state": "completed"}

    cloud.put("TaskStateChanged", said | {"task": "late"}, source=f"cordyna.server.{SILENT}")
    until(lambda: cloud.of(RunTask, run_id, task="after-late"), within_s=20)
    cloud.put("TaskStateChanged", said | {"task": "after-late"}, source=f"cordyna.server.{SILENT}")

    until(lambda: cloud.shown(run_id)["state"] == "completed", within_s=20)
    states = [e.message.state for e in cloud.of(RunStateChanged, run_id)]  # type: ignore[attr-defined]
    assert states == ["running", "failing", "error", "running", "completed"]
    assert [e.message.task for e in cloud.of(RunTask, run_id)] == ["late", "after-late"]  # type: ignore[attr-defined]


def test_retry_runs_only_what_failed_and_what_that_blocked(cloud: Cloud, team: Team) -> None:
    failed = cloud.dyna("do", "depending", "--json")
    assert failed.returncode == 1
    run_id = json.loads(failed.stdout)["run_id"]
    team.mended.write_text("mended")

    retried = cloud.dyna("retry", run_id)

    assert retried.returncode == 0, retried.stderr
    assert cloud.shown(run_id)["tasks"]["depending"]["output"] == ["steady", "mended"]
    order = [(e.message.task, e.message.attempt) for e in cloud.of(RunTask, run_id)]  # type: ignore[attr-defined]
    assert order == [("steady", 1), ("flaky", 1), ("flaky", 2), ("depending", 1)]


def test_a_redeployed_server_declares_its_new_task_which_can_be_invoked(
    cloud: Cloud, team: Team
) -> None:
    assert cloud.dyna("plan", "added").returncode == 3
    team.add_a_task()
    team.deploy()
    until(lambda: cloud.dyna("plan", "added").returncode == 0, within_s=30)
    done = cloud.dyna("do", "added", "--json")
    assert done.returncode == 0, done.stderr
    added = json.loads(done.stdout)["tasks"][-1]
    assert (added["server"], added["state"]) == (SERVER, "completed")


def test_a_roll_call_has_every_server_declare_itself_again(cloud: Cloud, tmp_path: Path) -> None:
    def declared() -> list[str]:
        return sorted(e.message.server for e in cloud.of(ServerDeclared, "task-server-"))  # type: ignore[attr-defined]

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
    # The third one is a container, whose first worker answers.
    until(
        lambda: (
            {"task-server-a", "task-server-b"}
            <= set((Counter(declared()) - Counter(before)).keys())
        ),
        within_s=30,
    )


def test_a_worker_that_is_killed_in_its_task_is_told_by_the_run_clock(
    cloud: Cloud, team: Team, tmp_path: Path
) -> None:
    pid = tmp_path / "pid"
    run_id = run_id_of(
        "killed", cloud.put("InvokeTask", {"task": "killed", "params": {"tell_pid": str(pid)}})
    )
    until(lambda: pid.exists() and pid.read_text(), within_s=20)

    os.kill(int(pid.read_text()), signal.SIGKILL)

    assert ended(cloud, run_id) == "error"
    (started,) = cloud.of(TaskStateChanged, run_id, state="started")
    (error,) = cloud.of(TaskStateChanged, run_id, state="error")
    assert (error.source, error.message.reason) == ("cordyna.cerebro", "run_timeout")  # type: ignore[attr-defined]
    assert 8 <= (error.said_at - started.said_at).total_seconds() <= 11


def test_a_container_that_is_started_late_still_runs_what_its_door_queued(
    cloud: Cloud, container: Container
) -> None:
    # Its door has put the call to declare on the queue, when it was deployed.
    container.start()
    until(lambda: cloud.dyna("plan", "archive-sales").returncode == 0, within_s=40)
    assert container.stop() == 0

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


def test_a_message_that_always_fails_is_dead_lettered_and_redriven_once_its_reason_is_mended(
    cloud: Cloud,
) -> None:
    planner = Fragile(cloud, f"{BUS}-planner")
    planner.break_it()
    try:
        event_id = cloud.put("InvokeTask", {"task": "task-1", "key": "after the mending"})
        run_id = run_id_of("task-1", "after the mending")
        until(lambda: f"{BUS}-planner-dead-letters" in cloud.dyna("dlq", "ls").stdout, within_s=60)
        # A tick may have been the first to end there; ours has, too, when nothing waits any more.
        until(lambda: nothing_waits(cloud, f"{BUS}-planner"), within_s=30)
    finally:
        planner.mend_it()
    assert cloud.of(InvokeTask, event_id) or cloud.of(InvokeTask, "after the mending")
    assert cloud.dyna("show", run_id).returncode == 3

    redriven = cloud.dyna("dlq", "redrive", f"{BUS}-planner-dead-letters")

    # At least this one: the minute's tick may have come to the broken planner, too.
    assert re.fullmatch(r"[1-9]\d* messages? put back\n", redriven.stdout)
    assert ended(cloud, run_id) == "completed"


def test_what_can_never_be_handled_is_dead_lettered_with_its_reason(cloud: Cloud) -> None:
    cloud.put(
        "TaskStateChanged",
        {"server": "task-server-a", "attempt": "many"},
        source="cordyna.server.task-server-a",
    )
    told = until(lambda: told_of(cloud, "attempt"), within_s=20)
    assert f"{BUS}-tracker-dead-letters" in told


def test_a_cron_of_every_minute_fires(cloud: Cloud) -> None:
    def of_a_tick() -> list[str]:
        runs = json.loads(cloud.dyna("runs", "-n", "200", "--json").stdout)
        return [run["run_id"] for run in runs if run["task"] == "order-pulse"]

    seen = set(of_a_tick())
    fired = until(
        lambda: [run_id for run_id in of_a_tick() if run_id not in seen], within_s=75, every_s=2
    )
    assert ended(cloud, fired[0]) == "completed"
    (asked,) = [e for e in cloud.of(InvokeTask, "order-pulse") if run_id_in(e) == fired[0]]
    assert asked.source == "cordyna.scheduler"
    assert isinstance(asked.message, InvokeTask)
    assert asked.message.scheduled_at is not None
    assert asked.message.scheduled_at.second == 0
    assert 0 <= (asked.said_at - asked.message.scheduled_at).total_seconds() < 10


def test_a_cron_that_comes_too_late_is_reported_as_missed(cloud: Cloud) -> None:
    nominal = datetime.now(UTC).replace(second=0, microsecond=0) - timedelta(minutes=10)
    url = cloud.aws("sqs", "get-queue-url", "--queue-name", f"{BUS}-timekeeper")["QueueUrl"]

    # What Scheduler puts there, ten minutes after its time.
    tick = json.dumps({"tick": {"task": "order-pulse", "nominal": f"{nominal:%Y-%m-%dT%H:%M:%SZ}"}})
    cloud.aws("sqs", "send-message", "--queue-url", url, "--message-body", tick)

    (missed,) = until(
        lambda: [
            e
            for e in cloud.of(InvocationRejected, "missed_tick")
            if nominal.isoformat() in str(e.message)
        ],
        within_s=20,
    )
    (problem,) = missed.message.problems  # type: ignore[attr-defined]
    assert "order-pulse" in problem.message
    assert "invoke it by hand" in problem.message


def nothing_waits(cloud: Cloud, queue: str) -> bool:
    """Whether all that came to a queue was handled."""
    url = cloud.aws("sqs", "get-queue-url", "--queue-name", queue)["QueueUrl"]
    told = cloud.aws("sqs", "get-queue-attributes", "--queue-url", url, "--attribute-names", "All")[
        "Attributes"
    ]
    return bool(
        told["ApproximateNumberOfMessages"] == told["ApproximateNumberOfMessagesNotVisible"] == "0"
    )


def told_of(cloud: Cloud, word: str) -> str | None:
    """The dead letters, once one of them tells of `word`."""
    told = cloud.dyna("dlq", "ls").stdout
    return told if word in told else None


def run_id_in(envelope: object) -> str:
    """The run that a tick asks for."""
    from cerebro.core.run.invoke import invocation_key

    return run_id_of("order-pulse", invocation_key(envelope.message, envelope))  # type: ignore[attr-defined,arg-type]


def a_run_of_the_silent_server(cloud: Cloud, task: str) -> str:
    """A run of a task whose server has declared itself, and hears nothing."""
    tasks = [
        {"name": "unheard"},
        {"name": "forged"},
        {"name": "late"},
        {"name": "after-late", "upstream": ["late"]},
    ]
    declared = {"server": SILENT, "contract": "1", "tasks": tasks}
    cloud.put("ServerDeclared", declared, source=f"cordyna.server.{SILENT}")
    until(lambda: cloud.dyna("plan", task).returncode == 0, within_s=20)
    run_id = run_id_of(task, cloud.put("InvokeTask", {"task": task}))
    until(lambda: cloud.of(RunTask, run_id), within_s=20)
    return run_id


class Fragile:
    """A function of cerebro's whose table is taken away, and whose queue does not make us wait between two deliveries."""

    def __init__(self, cloud: Cloud, name: str) -> None:
        self._cloud, self._name = cloud, name
        self._url = cloud.aws("sqs", "get-queue-url", "--queue-name", name)["QueueUrl"]
        configured = cloud.aws("lambda", "get-function-configuration", "--function-name", name)
        self._variables = configured["Environment"]["Variables"]
        told = cloud.aws(
            "sqs",
            "get-queue-attributes",
            "--queue-url",
            self._url,
            "--attribute-names",
            "VisibilityTimeout",
        )
        self._visibility = told["Attributes"]["VisibilityTimeout"]

    def break_it(self) -> None:
        self._set(self._variables | {"CORDYNA_TABLE": "no-such-table"}, "1")

    def mend_it(self) -> None:
        self._set(self._variables, self._visibility)

    def _set(self, variables: dict[str, str], visibility: str) -> None:
        environment = json.dumps({"Variables": variables})
        self._cloud.aws(
            "lambda",
            "update-function-configuration",
            "--function-name",
            self._name,
            "--environment",
            environment,
        )
        attributes = json.dumps({"VisibilityTimeout": visibility})
        self._cloud.aws(
            "sqs", "set-queue-attributes", "--queue-url", self._url, "--attributes", attributes
        )
