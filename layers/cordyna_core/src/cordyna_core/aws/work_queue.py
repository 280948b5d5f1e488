"""Work queue: an SQS queue behind a server's queue ingress.

Invariant: a received message belongs to its worker until its visibility ends, and is on the queue
until it is deleted.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

LONG_POLL_S: Final = 10
"""How long one request waits for a message.

A longer one would cost less when idle, and delay the end of the process.
"""


RECEIVE_COUNT: Final = "ApproximateReceiveCount"


@dataclass(frozen=True, slots=True)
class QueuedCommand:
    """One message as it was received."""

    body: str
    receipt: str
    deliveries: int = 1
    """How often it was received, this time included."""


class WorkQueue:
    """One queue. Every method raises what botocore raises."""

    def __init__(self, client: Any, url: str) -> None:
        self._client, self.url = client, url

    def send(self, body: str, *, delay_s: int = 0) -> None:
        """Send a message, which is delivered after `delay_s` (at most 900) at the earliest."""
        self._client.send_message(QueueUrl=self.url, MessageBody=body, DelaySeconds=delay_s)

    def receive(self, visibility_s: int) -> Sequence[QueuedCommand]:
        """Return at most one message, as soon as there is one; none after LONG_POLL_S."""
        answer = self._client.receive_message(
            QueueUrl=self.url,
            MaxNumberOfMessages=1,
            WaitTimeSeconds=LONG_POLL_S,
            VisibilityTimeout=visibility_s,
            AttributeNames=[RECEIVE_COUNT],
        )
        return [
            QueuedCommand(
                message["Body"],
                message["ReceiptHandle"],
                int(message.get("Attributes", {}).get(RECEIVE_COUNT, 1)),
            )
            for message in answer.get("Messages", ())
        ]

    def delete(self, delivery: QueuedCommand) -> None:
        self._client.delete_message(QueueUrl=self.url, ReceiptHandle=delivery.receipt)

    def hold(self, delivery: QueuedCommand, visibility_s: int) -> None:
        """Keep a message for `visibility_s` from now; 0 returns it to the queue at once."""
        self._client.change_message_visibility(
            QueueUrl=self.url, ReceiptHandle=delivery.receipt, VisibilityTimeout=visibility_s
        )
