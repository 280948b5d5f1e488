"""Dead letters: the unchanged message, with its reason."""

from typing import Any
from uuid import uuid4

import pytest
from botocore.exceptions import ClientError

from adapters.cloud import client
from cerebro.adapters.aws.dead_letters import REASON_MAX_CHARS, SqsDeadLetters

pytestmark = pytest.mark.usefixtures("moto")


@pytest.mark.parametrize(
    ("reason", "stored"),
    [
        ("run X is not known", "run X is not known"),
        ("", "unknown"),
        ("a\x00b\ud800c\td", "a\ufffdb\ufffdc\td"),
        ("é" * 5_000, "é" * REASON_MAX_CHARS),
    ],
)
def test_dead_letter_keeps_its_body_and_gets_a_reason(reason: str, stored: str) -> None:
    sqs = client("sqs")
    url = sqs.create_queue(QueueName=f"dead-{uuid4().hex}")["QueueUrl"]
    SqsDeadLetters(lambda: sqs, url).add_dead_letter('{"text":"ü"}', reason)
    (message,) = sqs.receive_message(QueueUrl=url, MessageAttributeNames=["All"])["Messages"]
    assert (message["Body"], _reason(message)) == ('{"text":"ü"}', stored)


def test_dead_letter_to_a_missing_queue_raises() -> None:
    with pytest.raises(ClientError, match="NonExistentQueue"):
        SqsDeadLetters(
            lambda: client("sqs"), "https://sqs.eu-central-1.amazonaws.com/123456789012/none"
        ).add_dead_letter("body", "reason")


def _reason(message: dict[str, Any]) -> str:
    reason: str = message["MessageAttributes"]["reason"]["StringValue"]
    return reason
