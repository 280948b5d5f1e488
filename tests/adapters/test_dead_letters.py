"""Dead letters: a message as it came, with its reason."""

from typing import Any
from uuid import uuid4

import pytest
from botocore.exceptions import ClientError

from adapters.cloud import client
from cerebro.adapters.aws.dead_letters import LONGEST_REASON, DeadLetters

pytestmark = pytest.mark.usefixtures("moto")


@pytest.mark.parametrize(
    ("reason", "told"),
    [
        ("run X is not known", "run X is not known"),
        ("", "unknown"),
        ("a\x00b\ud800c\td", "a\ufffdb\ufffdc\td"),
        ("é" * 5_000, "é" * LONGEST_REASON),
    ],
)
def test_a_message_that_is_buried_keeps_its_body_and_gets_a_reason(reason: str, told: str) -> None:
    sqs = client("sqs")
    url = sqs.create_queue(QueueName=f"dead-{uuid4().hex}")["QueueUrl"]
    DeadLetters(lambda: sqs, url).add_dead_letter('{"text":"ü"}', reason)
    (message,) = sqs.receive_message(QueueUrl=url, MessageAttributeNames=["All"])["Messages"]
    assert (message["Body"], _reason(message)) == ('{"text":"ü"}', told)


def test_a_message_that_cannot_be_buried_is_not_said_to_be() -> None:
    with pytest.raises(ClientError, match="NonExistentQueue"):
        DeadLetters(
            lambda: client("sqs"), "https://sqs.eu-central-1.amazonaws.com/123456789012/none"
        ).add_dead_letter("body", "reason")


def _reason(message: dict[str, Any]) -> str:
    reason: str = message["MessageAttributes"]["reason"]["StringValue"]
    return reason
