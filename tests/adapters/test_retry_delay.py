"""The delay of retries: seconds, doubling."""

from uuid import uuid4

import pytest
from botocore.exceptions import ClientError

from adapters.cloud import client
from cerebro.adapters.aws.retry_delay import RetryDelay, delay_s

pytestmark = pytest.mark.usefixtures("moto")


@pytest.mark.parametrize(
    ("deliveries", "delay"), [(0, 1), (1, 1), (2, 2), (5, 16), (6, 30), (1_000_000, 30)]
)
def test_delay_doubles_up_to_30_s(deliveries: int, delay: int) -> None:
    assert delay_s(deliveries) == delay


def test_postponed_message_is_hidden_by_the_delay() -> None:
    sqs = client("sqs")
    url = sqs.create_queue(QueueName=f"queue-{uuid4().hex}")["QueueUrl"]
    sqs.send_message(QueueUrl=url, MessageBody="body")
    (message,) = sqs.receive_message(QueueUrl=url)["Messages"]
    asked = []
    sqs.meta.events.register(
        "provide-client-params.sqs.ChangeMessageVisibility",
        lambda params, **_: asked.append(params),
    )
    RetryDelay(lambda: sqs, url).postpone(message["ReceiptHandle"], 3)
    assert [request["VisibilityTimeout"] for request in asked] == [4]


def test_postponing_an_unknown_message_raises() -> None:
    sqs = client("sqs")
    url = sqs.create_queue(QueueName=f"queue-{uuid4().hex}")["QueueUrl"]
    with pytest.raises(ClientError):
        RetryDelay(lambda: sqs, url).postpone("unknown", 1)
