"""The library's adapters on AWS: their contract tests, and what they do when AWS fails."""

import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from botocore.stub import Stubber
from moto import mock_aws

from cordyna_core.aws.claims import LEASE_S, DynamoDBClaims
from cordyna_core.aws.clients import client, client_config
from cordyna_core.aws.eventbridge import (
    MAX_ENTRIES,
    MAX_TRIES,
    EventBridgeBus,
    entry,
    requests,
    size_of,
)
from cordyna_core.aws.visibility import HEARTBEAT_INTERVAL_S, VISIBILITY_S
from cordyna_core.aws.work_queue import WorkQueue
from cordyna_core.contract.base import Message
from cordyna_core.contract.envelope import open_envelope
from cordyna_core.contract.limits import MAX_ENVELOPE_BYTES
from cordyna_core.errors import Fatal, ServiceError
from cordyna_core.ports import Bus, Claims
from cordyna_core.testing import BusContract, ClaimsContract, a_large_command, an_update
from server.builders import NOW, RUN

REGION = "eu-west-1"


@pytest.fixture(autouse=True)
def _no_account(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)


@pytest.fixture
def aws() -> Iterator[None]:
    with mock_aws():
        yield


def a_queue() -> str:
    url: str = boto3.client("sqs").create_queue(QueueName="everything")["QueueUrl"]
    return url


class AcceptingEventBridge:
    """An EventBridge that accepts everything. (Moto's needs a package that is not locked.)"""

    def __init__(self) -> None:
        self.passed: list[Message] = []

    def put_events(self, Entries: list[dict[str, str]]) -> Any:  # noqa: N803  boto3's name
        assert 0 < len(Entries) <= MAX_ENTRIES
        assert sum(map(size_of, Entries)) <= MAX_ENVELOPE_BYTES
        for sent in Entries:
            event = {
                "id": "e",
                "source": sent["Source"],
                "detail-type": sent["DetailType"],
                "time": "2026-01-01T00:00:00Z",
            }
            self.passed.append(
                open_envelope(json.dumps(event | {"detail": json.loads(sent["Detail"])})).message
            )
        return {"FailedEntryCount": 0, "Entries": [{"EventId": "e"} for _ in Entries]}


class TestEventBridgeBus(BusContract):
    def a_bus(self, source: str) -> tuple[Bus, Callable[[], Sequence[Message]]]:
        events = AcceptingEventBridge()
        return EventBridgeBus(
            events, bus="cordyna", source=source, pause=lambda _: None
        ), lambda: events.passed


class TestDynamoDBClaims(ClaimsContract):
    @pytest.fixture(autouse=True)
    def _a_table(self, aws: None) -> None:
        boto3.client("dynamodb").create_table(
            TableName="claims",
            KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )

    def two_claimants(self) -> tuple[Claims, Claims]:
        return self.a_claimant(), self.a_claimant()

    def a_claimant(self) -> DynamoDBClaims:
        return DynamoDBClaims(boto3.client("dynamodb"), "claims", lambda: NOW)

    def test_claim_after_cancel_is_refused(self) -> None:
        claims = self.a_claimant()
        claims.cancel(RUN, "task-1", 1)
        assert not claims.claim(RUN, "task-1", 1)
        assert claims.claim(RUN, "task-1", 2)

    def test_cancel_after_claim_is_seen_by_all_instances(self) -> None:
        one, other = self.a_claimant(), self.a_claimant()
        assert one.claim(RUN, "task-1", 1)
        assert not one.is_cancelled(RUN, "task-1", 1)
        other.cancel(RUN, "task-1", 1)
        assert one.is_cancelled(RUN, "task-1", 1)
        assert not one.is_cancelled(RUN, "task-2", 1)

    def test_lease_ends_unless_it_is_renewed(self) -> None:
        one, other = self.a_claimant(), self.a_claimant()
        late = DynamoDBClaims(boto3.client("dynamodb"), "claims", lambda: NOW + LEASE_S + 1)
        assert not other.is_leased(RUN, "task-1", 1)
        assert one.claim(RUN, "task-1", 1)
        assert other.is_leased(RUN, "task-1", 1)
        assert not late.is_leased(RUN, "task-1", 1)
        late.renew(RUN, "task-1", 1)
        assert late.is_leased(RUN, "task-1", 1)
        later = DynamoDBClaims(boto3.client("dynamodb"), "claims", lambda: NOW + 2 * LEASE_S + 2)
        assert not later.is_leased(RUN, "task-1", 1)

    def test_lease_ends_before_its_message_returns(self) -> None:
        assert 2 * HEARTBEAT_INTERVAL_S < LEASE_S < VISIBILITY_S

    def test_claimed_names_what_is_claimed_or_cancelled(self) -> None:
        one, other = self.a_claimant(), self.a_claimant()
        attempts = [(RUN, f"task-{number}", 1) for number in range(130)]
        taken = set(attempts[5:60] + attempts[99:])
        for attempt in taken:
            assert one.claim(*attempt)
        one.cancel(*attempts[0])
        one.note_queued(*attempts[1])
        assert other.claimed(attempts) == taken | {attempts[0]}
        assert other.claimed([]) == set()

    def test_lease_cancellation_and_queued_are_never_behind(self) -> None:
        one = self.a_claimant()
        other = DynamoDBClaims(BehindDynamoDB(), "claims", lambda: NOW)
        assert one.claim(RUN, "task-1", 1)
        one.cancel(RUN, "task-1", 1)
        one.note_queued(RUN, "task-1", 1)
        assert other.is_leased(RUN, "task-1", 1)
        assert other.is_cancelled(RUN, "task-1", 1)
        assert other.is_queued(RUN, "task-1", 1)

    def test_queued_is_no_claim(self) -> None:
        one, other = self.a_claimant(), self.a_claimant()
        assert not other.is_queued(RUN, "task-1", 1)
        one.note_queued(RUN, "task-1", 1)
        assert other.is_queued(RUN, "task-1", 1)
        assert not other.is_queued(RUN, "task-1", 2)
        assert other.claim(RUN, "task-1", 1)
        items = boto3.client("dynamodb").scan(TableName="claims")["Items"]
        assert all(float(item["ttl"]["N"]) > NOW + 14 * 24 * 3600 for item in items)

    def test_claim_expires_after_every_redelivery(self) -> None:
        self.a_claimant().claim(RUN, "task-1", 1)
        (item,) = boto3.client("dynamodb").scan(TableName="claims")["Items"]
        assert float(item["ttl"]["N"]) > NOW + 14 * 24 * 3600


def test_size_of_an_entry_is_that_of_its_bytes() -> None:
    """14 for its time; Calculating PutEvents event entry size."""
    made = entry(bus="a-bus", source="é", detail_type="X", detail='{"a":"😀"}')
    assert size_of(made) == 14 + 2 + 1 + len('{"a":""}') + 4


class BehindDynamoDB:
    """A DynamoDB whose eventually consistent reads show nothing yet."""

    def get_item(self, **request: Any) -> Any:
        is_consistent = request.get("ConsistentRead", False)
        return boto3.client("dynamodb").get_item(**request) if is_consistent else {}


class DynamoDBWithLostReply:
    """A DynamoDB whose reply to a claim is lost, so that botocore sends it again."""

    def put_item(self, **sent: Any) -> Any:
        raise ClientError(
            {
                "Error": {"Code": "ConditionalCheckFailedException", "Message": ""},
                "Item": {"token": sent["Item"]["token"]},
            },  # type: ignore[typeddict-unknown-key]
            "PutItem",
        )


def test_claim_with_lost_reply_is_granted() -> None:
    assert DynamoDBClaims(DynamoDBWithLostReply(), "claims", lambda: NOW).claim(RUN, "task-1", 1)


def test_claim_table_fails_raises() -> None:
    dynamodb = boto3.client("dynamodb")
    with Stubber(dynamodb) as stub:
        stub.add_client_error("put_item", "ProvisionedThroughputExceededException")
        with pytest.raises(ClientError, match="ProvisionedThroughput"):
            DynamoDBClaims(dynamodb, "claims", lambda: NOW).claim(RUN, "task-1", 1)


class RefusingEventBridge:
    """An EventBridge that refuses the entries which `refuses` names, call by call."""

    def __init__(self, *refuses: set[int]) -> None:
        self._refuses = list(refuses)
        self.sent: list[list[dict[str, str]]] = []

    def put_events(self, Entries: list[dict[str, str]]) -> Any:  # noqa: N803  boto3's name
        self.sent.append(Entries)
        refused = self._refuses.pop(0) if self._refuses else set()
        answers = [
            {"ErrorCode": "ThrottlingException", "ErrorMessage": "slow down"}
            if n in refused
            else {"EventId": f"event-{n}"}
            for n in range(len(Entries))
        ]
        return {"FailedEntryCount": len(refused), "Entries": answers}


def ids_in(entries: list[dict[str, str]]) -> list[str]:
    return [json.loads(sent["Detail"])["task"] for sent in entries]


def test_publish_refused_entries_are_sent_again_unchanged() -> None:
    events, pauses = RefusingEventBridge({1, 2}, {0}), list[float]()
    EventBridgeBus(events, bus="cordyna", source="cordyna.server.s", pause=pauses.append).publish(
        [an_update(f"task-{n}") for n in range(4)]
    )
    assert [ids_in(sent) for sent in events.sent] == [
        ["task-0", "task-1", "task-2", "task-3"],
        ["task-1", "task-2"],
        ["task-1"],
    ]
    assert events.sent[2][0] == events.sent[0][1]
    assert pauses == [0.1, 0.2]


def test_publish_always_refused_raises_with_reason() -> None:
    events = RefusingEventBridge(*[{0}] * MAX_TRIES)
    with pytest.raises(ServiceError, match="did not accept 1 of the events") as refused:
        EventBridgeBus(
            events, bus="cordyna", source="cordyna.server.s", pause=lambda _: None
        ).publish([an_update("task-1")])
    assert refused.value.why == "ThrottlingException: slow down"
    assert len(events.sent) == MAX_TRIES


def test_publish_too_large_or_without_source_is_fatal() -> None:
    with pytest.raises(Fatal, match="needs a source"):
        EventBridgeBus(RefusingEventBridge(), bus="cordyna", source="")
    with pytest.raises(Fatal, match="larger than an event may be"):
        EventBridgeBus(RefusingEventBridge(), bus="cordyna", source="s").publish(
            [a_large_command("task-1", MAX_ENVELOPE_BYTES)]
        )


def test_requests_are_as_few_as_number_and_size_allow() -> None:
    def entries(*sizes: int) -> list[dict[str, str]]:
        return [
            entry(bus="b", source="s", detail_type="t", detail="x" * (size - 16)) for size in sizes
        ]

    third = MAX_ENVELOPE_BYTES // 3
    assert [size_of(sent) for sent in entries(100)] == [100]
    assert [len(request) for request in requests(entries(*[100] * 25))] == [10, 10, 5]
    assert [len(request) for request in requests(entries(third, third, third, third))] == [3, 1]
    assert [len(request) for request in requests(entries(MAX_ENVELOPE_BYTES, 100))] == [1, 1]
    assert list(requests([])) == []


@pytest.mark.usefixtures("aws")
def test_work_queue_message_stays_until_deleted() -> None:
    queue = WorkQueue(boto3.client("sqs"), a_queue())
    queue.send("one")
    (delivery,) = queue.receive(60)
    assert delivery.body == "one"
    queue.hold(delivery, 0)
    (again,) = queue.receive(60)
    queue.delete(again)
    assert boto3.client("sqs").receive_message(QueueUrl=a_queue()).get("Messages", []) == []


@pytest.mark.usefixtures("aws")
def test_delayed_message_is_delivered_later() -> None:
    sqs, url = boto3.client("sqs"), a_queue()
    queue = WorkQueue(sqs, url)
    queue.send("soon")
    queue.send("later", delay_s=900)
    counts = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    assert counts["ApproximateNumberOfMessages"] == "1"
    assert counts["ApproximateNumberOfMessagesDelayed"] == "1"


def test_client_is_one_per_service_with_timeouts() -> None:
    assert client("sqs") is client("sqs")
    config = client_config(read_timeout_s=20)
    assert (config.read_timeout, config.retries["mode"]) == (20, "standard")  # type: ignore[attr-defined]
