"""Wiring: the environment is read once.

Only the clients that are needed are created, none at import.
"""

import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
from pydantic import ValidationError

from adapters.cloud import client
from adapters.virtual_aws import refusal
from cerebro.core.internal_messages import PageTimer
from cerebro.lambdas.wiring import CerebroSettings, aws_ports, dead_letters
from cerebro.testing.examples import NOW, RUN
from cordyna_core.contract.base import meta_at
from cordyna_core.contract.commands import DescribeServer


def test_settings_are_read_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (
        "bus",
        "table",
        "timekeeper_queue_url",
        "scheduler_role_arn",
        "wait_state_machine_arn",
        "dead_letter_queue_url",
    ):
        monkeypatch.setenv(f"CORDYNA_{name.upper()}", f"the {name}")
    monkeypatch.setenv("CORDYNA_RETENTION_DAYS", "30")
    settings = CerebroSettings()
    assert (settings.bus, settings.table, settings.retention_days) == ("the bus", "the table", 30)
    assert settings.scheduler_role_arn == "the scheduler_role_arn"


def test_settings_without_a_table_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CORDYNA_TABLE", raising=False)
    with pytest.raises(ValidationError, match="table"):
        CerebroSettings()


def test_ports_create_only_needed_clients() -> None:
    made: list[str] = []

    def make(service: str) -> Any:
        made.append(service)
        return client(service)

    ports = aws_ports(CerebroSettings(table="t"), make)
    dead_letters(CerebroSettings(table="t"), make)
    assert made == ["dynamodb", "events"]
    assert ports.clock() > NOW


def test_ports_use_what_the_settings_name() -> None:
    asked: list[tuple[str, Any]] = []

    def make(service: str) -> Any:
        made = client(service)
        made.meta.events.register(
            f"provide-client-params.{service}", lambda params, **_: asked.append((service, params))
        )
        made.meta.events.register("before-call", _refuse)
        return made

    settings = CerebroSettings(
        bus="bus",
        table="table",
        timekeeper_queue_url="https://queues/timekeeper",
        timekeeper_queue_arn="arn:timekeeper",
        wait_state_machine_arn="arn:wait",
        schedule_group="group",
        scheduler_role_arn="arn:role",
        dead_letter_queue_url="https://queues/dead",
    )
    ports = aws_ports(settings, make, lambda: NOW)
    calls: list[Callable[[], object]] = [
        lambda: ports.store.read_run(RUN),
        lambda: ports.bus.publish([DescribeServer(meta=meta_at(NOW, "id"))]),
        lambda: ports.timers.send_page_timer(PageTimer(RUN, 0, NOW - 1)),
        lambda: ports.timers.send_page_timer(PageTimer(RUN, 0, NOW + 1)),
        lambda: ports.timers.send_page_timer(PageTimer(RUN, 0, NOW + 1000)),
        lambda: dead_letters(settings, make).add_dead_letter("body", "reason"),
    ]
    for call in calls:
        with pytest.raises(Exception, match="virtual"):
            call()
    assert [(service, _address(params)) for service, params in asked] == [
        ("dynamodb", "table"),
        ("events", "bus"),
        ("sqs", "https://queues/timekeeper"),
        ("stepfunctions", "arn:wait"),
        ("scheduler", "group"),
        ("sqs", "https://queues/dead"),
    ]


def test_import_of_wiring_needs_no_test_packages() -> None:
    code = (
        "import cerebro.lambdas.wiring, sys; "
        "print({'moto', 'pytest', 'networkx'} & sys.modules.keys())"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={"PYTHONPATH": ":".join(sys.path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "set()\n"


def _refuse(**_: object) -> None:
    raise refusal("Virtual")


def _address(params: dict[str, Any]) -> str:
    entries = params.get("Entries", [{}])
    found = (
        params.get("TableName")
        or params.get("QueueUrl")
        or params.get("stateMachineArn")
        or params.get("GroupName")
    )
    return str(found or entries[0].get("EventBusName"))
