"""Runs, queues and broken functions of the deployed system, for end-to-end tests."""

import json
from typing import Any

from cerebro.core.run.invoke import invocation_key
from cordyna_core.contract.commands import InvokeTask, RunTask
from cordyna_core.contract.ids import run_id_of
from cordyna_core.contract.state_updates import (
    RunStateChanged,
)
from e2e.cloud import Cloud, Published, until

SILENT = "server-that-is-silent"
SOURCE = f"cordyna.server.{SILENT}"


def ended(cloud: Cloud, run_id: str, *, within_s: float = 60) -> str:
    """The final state of a run."""
    states = ("completed", "error")
    final = until(
        lambda: [e for e in cloud.of(RunStateChanged, run_id) if e.message.state in states],
        within_s=within_s,
    )
    return str(final[-1].message.state)


def acknowledged(cloud: Cloud, run_id: str) -> dict[str, Any]:
    """The tasks of an ended run, retried where a busy machine made its servers miss a command."""
    for _ in range(3):
        tasks: dict[str, Any] = cloud.shown(run_id)["tasks"]
        if all(task["reason"] != "ack_timeout" for task in tasks.values()):
            break
        assert cloud.dyna("retry", run_id).returncode in (0, 1)
    return tasks


def queue_is_empty(cloud: Cloud, queue: str) -> bool:
    """Whether a queue is empty and nothing of it is being handled."""
    url = cloud.aws("sqs", "get-queue-url", "--queue-name", queue)["QueueUrl"]
    attributes = cloud.aws(
        "sqs", "get-queue-attributes", "--queue-url", url, "--attribute-names", "All"
    )["Attributes"]
    return bool(
        attributes["ApproximateNumberOfMessages"]
        == attributes["ApproximateNumberOfMessagesNotVisible"]
        == "0"
    )


def dead_letters_with(cloud: Cloud, word: str) -> str | None:
    """The listed dead letters, if one of them contains `word`."""
    listed = cloud.dyna("dlq", "ls").stdout
    return listed if word in listed else None


def run_id_in(event: Published[InvokeTask]) -> str:
    """The run that a tick invokes."""
    key = invocation_key(event.message, event.envelope)
    return run_id_of("order-pulse", key, event.source)


def run_of_silent_server(cloud: Cloud, task: str) -> str:
    """A run of a task whose server has declared itself, but never answers."""
    tasks = [
        {"name": "unanswered"},
        {"name": "forged"},
        {"name": "late"},
        {"name": "after-late", "upstream": ["late"]},
    ]
    declared = {"server": SILENT, "contract": "1", "tasks": tasks}
    cloud.put("ServerDeclared", declared, source=SOURCE)
    until(lambda: cloud.dyna("plan", task).returncode == 0, within_s=20)
    run_id = run_id_of(task, cloud.put("InvokeTask", {"task": task}))
    until(lambda: cloud.of(RunTask, run_id), within_s=20)
    return run_id


class Fragile:
    """A function of cerebro that loses its table, with a queue that gives up after two tries."""

    def __init__(self, cloud: Cloud, name: str) -> None:
        self._cloud, self._name = cloud, name
        self._url = cloud.aws("sqs", "get-queue-url", "--queue-name", name)["QueueUrl"]
        function = cloud.aws("lambda", "get-function-configuration", "--function-name", name)
        self._variables = function["Environment"]["Variables"]
        attributes = cloud.aws(
            "sqs", "get-queue-attributes", "--queue-url", self._url, "--attribute-names", "All"
        )["Attributes"]
        self._attributes = {
            attribute: attributes[attribute] for attribute in ("VisibilityTimeout", "RedrivePolicy")
        }

    def break_table(self) -> None:
        redrive = json.loads(self._attributes["RedrivePolicy"]) | {"maxReceiveCount": 2}
        attributes = {"VisibilityTimeout": "1", "RedrivePolicy": json.dumps(redrive)}
        self._set(self._variables | {"CORDYNA_TABLE": "no-such-table"}, attributes)

    def repair(self) -> None:
        self._set(self._variables, self._attributes)

    def _set(self, variables: dict[str, str], attributes: dict[str, str]) -> None:
        self._cloud.aws(
            "lambda",
            "update-function-configuration",
            "--function-name",
            self._name,
            "--environment",
            json.dumps({"Variables": variables}),
        )
        self._cloud.aws(
            "sqs",
            "set-queue-attributes",
            "--queue-url",
            self._url,
            "--attributes",
            json.dumps(attributes),
        )
