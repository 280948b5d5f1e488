"""CORDYNA_STARTED_AFTER_S: a task server on AWS that holds `started` back."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import boto3
import pytest
from moto import mock_aws

from aws.runtime_in_memory import (
    CancellableMemoryClaims,
    KeptQueue,
    RuntimeInMemory,
    cancel_task,
    records,
    run_task,
)
from aws.test_aws_adapters import AcceptingEventBridge
from cordyna_core import UserError
from cordyna_core.aws.claims import DynamoDBClaims
from cordyna_core.aws.command_handler import handle_event
from cordyna_core.aws.eventbridge import EventBridgeBus
from cordyna_core.aws.runtime import ServerRuntime, build_runtime
from cordyna_core.aws.settings import ServerSettings, server_settings
from cordyna_core.aws.start_sender import StartSender
from cordyna_core.contract.state_updates import TaskStateChanged
from cordyna_core.contract.time import utc
from cordyna_core.start_hold import StartHold, Stop
from server.builders import NOW, a_server


class DueTimer:
    """A timer whose delay ends when a test says so."""

    def __init__(self) -> None:
        self.delay_s = 0.0
        self.send: Callable[[], bool] = bool
        self.is_stopped = False

    def __call__(self, delay_s: float, started: TaskStateChanged, send: Callable[[], bool]) -> Stop:
        self.delay_s, self.send = delay_s, send

        def stop() -> bool:
            self.is_stopped = True
            return False

        return stop


def holding(runtime: RuntimeInMemory, timer: DueTimer) -> ServerRuntime:
    return replace(runtime.adapters, hold=StartHold(2, timer))


@pytest.mark.parametrize(
    ("text", "seconds"), [(None, 1.0), ("", 1.0), ("0", 0.0), ("2", 2.0), ("0.5", 0.5), ("5", 5.0)]
)
def test_settings_read_the_hold(text: str | None, seconds: float) -> None:
    environ = {} if text is None else {"CORDYNA_STARTED_AFTER_S": text}
    assert server_settings(environ).started_after_s == seconds


@pytest.mark.parametrize("text", ["5.1", "-1", "nan", "inf", "soon", "2 s"])
def test_settings_refuse_a_hold_out_of_range(text: str) -> None:
    with pytest.raises(UserError, match="is not a number of seconds from 0 to 5") as refused:
        server_settings({"CORDYNA_STARTED_AFTER_S": text})
    assert "CORDYNA_STARTED_AFTER_S" in str(refused.value)


def test_runtime_holds_for_as_long_as_its_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    # The process keeps its own output.
    monkeypatch.setattr("cordyna_core.aws.task_log.TaskLog.install", lambda log: None)
    held, by_default, at_once = (
        build_runtime("s", settings)
        for settings in (
            ServerSettings(started_after_s=2.5),
            ServerSettings(),
            ServerSettings(started_after_s=0),
        )
    )
    assert [runtime.hold.after_s for runtime in (held, by_default, at_once)] == [2.5, 1, 0]
    assert held.start_sender is not None
    assert held.hold.timer == held.start_sender.hold
    assert at_once.start_sender is None, "no process is started for it"


class StartedSender(StartSender):
    """A sender that notes that it was started."""

    def __init__(self) -> None:
        self.starts = 0

    def start(self) -> None:
        self.starts += 1


@pytest.mark.parametrize(
    ("call", "queue", "starts"),
    [
        (run_task(), None, 1),
        (records(run_task()), KeptQueue(), 1),
        (run_task(), KeptQueue(), 0),
    ],
    ids=["rule", "work queue", "queue ingress"],
)
def test_sender_is_started_where_bodies_run(
    call: dict[str, Any], queue: KeptQueue | None, starts: int
) -> None:
    runtime, sender = RuntimeInMemory(queue=queue), StartedSender()
    adapters = replace(runtime.adapters, start_sender=sender)
    handle_event(a_server(task_1=lambda: 1), call, runtime=adapters)
    assert sender.starts == starts


@pytest.mark.parametrize("call", [run_task(), records(run_task())], ids=["rule", "work queue"])
def test_lambda_reports_a_short_body_once(call: dict[str, Any]) -> None:
    runtime, timer = RuntimeInMemory(), DueTimer()
    handle_event(a_server(task_1=lambda: 1), call, runtime=holding(runtime, timer))
    (completed,) = runtime.bus.published
    assert isinstance(completed, TaskStateChanged)
    assert (completed.state, completed.started_at) == ("completed", utc(int(NOW * 1000) / 1000))
    assert (timer.delay_s, timer.is_stopped) == (2, True)


def test_lambda_reports_a_long_body_as_started() -> None:
    runtime, timer = RuntimeInMemory(), DueTimer()

    def body() -> bool:
        return timer.send()

    handle_event(a_server(task_1=body), run_task(), runtime=holding(runtime, timer))
    assert runtime.published == ["started", "completed"]


def test_cancellation_before_started_is_seen_by_the_body() -> None:
    runtime, timer = RuntimeInMemory(claims=CancellableMemoryClaims()), DueTimer()
    adapters = holding(runtime, timer)

    def body(*, ctx: Any) -> bool:
        handle_event(server, cancel_task(), runtime=adapters)
        return bool(ctx.cancelled)

    server = a_server(task_1=body)
    handle_event(server, run_task(), runtime=adapters)
    (completed,) = runtime.bus.published
    assert isinstance(completed, TaskStateChanged)
    assert (completed.output, completed.started_at is not None) == (True, True)


@pytest.fixture
def claims_table(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    with mock_aws():
        boto3.client("dynamodb", region_name="eu-west-1").create_table(
            TableName="claims",
            KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
        yield "claims"


def test_held_attempt_on_aws_is_one_event_and_one_claim(claims_table: str) -> None:
    """A command that is delivered again neither runs nor is reported a second time."""
    runtime, bridge = RuntimeInMemory(), AcceptingEventBridge()
    dynamodb = boto3.client("dynamodb", region_name="eu-west-1")
    clock = runtime.adapters.clock
    adapters = replace(
        holding(runtime, DueTimer()),
        bus=EventBridgeBus(bridge, bus="cordyna", source="cordyna.server.task-server-a"),
        claims=DynamoDBClaims(dynamodb, claims_table, clock),
    )
    for _ in range(2):
        handle_event(a_server(task_1=lambda: {"rows": 3}), run_task(), runtime=adapters)
    (completed,) = bridge.passed
    assert isinstance(completed, TaskStateChanged)
    assert (completed.output, completed.started_at) == (
        {"rows": 3},
        utc(int(NOW * 1000) / 1000),
    )
    assert len(dynamodb.scan(TableName=claims_table)["Items"]) == 1
