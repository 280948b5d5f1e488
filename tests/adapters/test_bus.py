"""The CerebroBus contract on EventBridge, and what the adapter refuses."""

# ruff: noqa: N803  (the names of botocore's parameters)

import json
from collections.abc import Callable, Sequence
from typing import Any
from uuid import uuid4

import pytest

from adapters.cloud import ENDPOINT, client, never_sleep
from cerebro.adapters.aws.eventbridge import EventBridge
from cerebro.ports import CerebroBus
from cerebro.testing.bus_contract import CerebroBusContract, ReceivedMessage, a_command
from cordyna_core.contract.base import RootCause, meta_at
from cordyna_core.contract.commands import CancelRun
from cordyna_core.contract.envelope import open_envelope
from cordyna_core.contract.ids import derived_id
from cordyna_core.contract.registry import MESSAGES
from cordyna_core.contract.state_updates import RunStateChanged
from cordyna_core.errors import Fatal, ServiceError


def a_bus_on_an_emulator(
    endpoint: str | None,
) -> tuple[CerebroBus, Callable[[], Sequence[ReceivedMessage]]]:
    """A bus whose events are all sent to a queue, and what the queue received."""
    events, sqs = client("events", endpoint), client("sqs", endpoint)
    name = f"cordyna-{uuid4().hex[:12]}"
    url = sqs.create_queue(QueueName=name)["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"][
        "QueueArn"
    ]
    events.create_event_bus(Name=name)
    events.put_rule(
        Name=name, EventBusName=name, EventPattern=json.dumps({"source": [{"prefix": "cordyna."}]})
    )
    events.put_targets(Rule=name, EventBusName=name, Targets=[{"Id": "queue", "Arn": arn}])

    def received() -> list[ReceivedMessage]:
        messages: list[ReceivedMessage] = []
        while batch := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
            for message in batch:
                envelope = open_envelope(message["Body"])
                messages.append(ReceivedMessage(envelope.source, envelope.message))
                sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        return messages

    return EventBridge(events, name, never_sleep), received


def a_bus_on_moto() -> tuple[CerebroBus, Callable[[], Sequence[ReceivedMessage]]]:
    """A bus in this process, and the entries that it accepted."""
    events = client("events")
    name = events.create_event_bus(Name=f"cordyna-{uuid4().hex[:12]}")["EventBusArn"].rpartition(
        "/"
    )[2]
    requests: list[dict[str, Any]] = []
    accepted: list[ReceivedMessage] = []

    def note_accepted(parsed: dict[str, Any], **_: object) -> None:
        for entry, answer in zip(requests.pop()["Entries"], parsed["Entries"], strict=True):
            assert entry["EventBusName"] == name
            if "EventId" in answer:
                accepted.append(
                    ReceivedMessage(
                        entry["Source"],
                        MESSAGES[entry["DetailType"]].model_validate_json(entry["Detail"]),
                    )
                )

    events.meta.events.register(
        "provide-client-params.events.PutEvents", lambda params, **_: requests.append(params)
    )
    events.meta.events.register("after-call.events.PutEvents", note_accepted)
    return EventBridge(events, name, never_sleep), lambda: accepted


class TestEventBridge(CerebroBusContract):
    pytestmark = pytest.mark.usefixtures("moto")

    def a_bus(self) -> tuple[CerebroBus, Callable[[], Sequence[ReceivedMessage]]]:
        return a_bus_on_moto()


@pytest.mark.cloud
class TestEventBridgeOnAnEmulator(CerebroBusContract):
    __test__ = ENDPOINT is not None

    def a_bus(self) -> tuple[CerebroBus, Callable[[], Sequence[ReceivedMessage]]]:
        return a_bus_on_an_emulator(ENDPOINT)


class Throttled:
    """A client whose bus refuses the `failing` tasks in the first `times` requests."""

    def __init__(self, *failing: str, times: int) -> None:
        self.failing, self.times = failing, times
        self.requests: list[list[str]] = []

    def put_events(self, Entries: list[dict[str, Any]]) -> dict[str, Any]:
        tasks = [json.loads(entry["Detail"])["task"] for entry in Entries]
        self.requests.append(tasks)
        self.times -= 1
        refused = self.failing if self.times >= 0 else ()
        answers = [
            {"ErrorCode": "ThrottlingException", "ErrorMessage": "slow down"}
            if task in refused
            else {"EventId": "1"}
            for task in tasks
        ]
        return {
            "Entries": answers,
            "FailedEntryCount": sum("ErrorCode" in answer for answer in answers),
        }


def test_publish_resends_only_failed_entries() -> None:
    throttled = Throttled("task-1", "task-3", times=2)
    slept: list[float] = []
    EventBridge(throttled, "cordyna", slept.append).publish(
        [a_command(number) for number in range(4)]
    )
    assert throttled.requests == [
        ["task-0", "task-1", "task-2", "task-3"],
        ["task-1", "task-3"],
        ["task-1", "task-3"],
    ]
    assert slept == sorted(slept)
    assert len(slept) == 2


def test_publish_to_a_refusing_bus_raises() -> None:
    throttled = Throttled("task-0", times=1000)
    with pytest.raises(ServiceError, match="did not accept 1"):
        EventBridge(throttled, "cordyna", lambda _: None).publish([a_command(0)])
    assert len(throttled.requests) < 10


def test_publish_too_large_message_is_fatal() -> None:
    causes = [
        RootCause(task=f"task-{number}", server="server-a", owner="o" * 200, reason="failed")
        for number in range(5000)
    ]
    ended = RunStateChanged(
        meta=meta_at(0, derived_id("meta")),
        run_id=derived_id("run"),
        task="x",
        state="error",
        root_causes=causes,
    )
    with pytest.raises(Fatal, match="larger than an event may be"):
        EventBridge(Throttled(times=0), "cordyna", never_sleep).publish([ended])


def test_publish_forbidden_message_is_fatal() -> None:
    command = CancelRun(meta=meta_at(0, derived_id("meta")), run_id=derived_id("run"))
    with pytest.raises(Fatal, match="may not send CancelRun"):
        EventBridge(Throttled(times=0), "cordyna", never_sleep).publish([command])


@pytest.mark.parametrize("meta", [None, {}])
def test_publish_message_without_id_is_fatal(meta: dict[str, Any] | None) -> None:
    nameless = a_command(0).model_validate({**a_command(0).model_dump(), "meta": meta})
    with pytest.raises(Fatal, match="has no id"):
        EventBridge(Throttled(times=0), "cordyna", never_sleep).publish([nameless])
