"""The dead-letter queue of one handler: messages that can never be handled, each with its reason.

Invariant: the body is stored unchanged, so that it can be redriven once the cause is fixed.
"""

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

REASON: Final = "reason"
"""The message attribute that holds the reason."""

REASON_MAX_CHARS: Final = 1024

_FORBIDDEN: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""The characters that SQS refuses (Amazon SQS, SendMessage)."""


class SqsDeadLetters:
    """One dead-letter queue."""

    def __init__(self, sqs: Callable[[], "SQSClient"], url: str) -> None:
        self._sqs, self._url = sqs, url

    def add_dead_letter(self, body: str, reason: str) -> None:
        """Send `body` and its reason to the queue.

        Raises what botocore raises; the message must not be acknowledged then.
        """
        text = _FORBIDDEN.sub("\ufffd", reason)[:REASON_MAX_CHARS] or "unknown"
        self._sqs().send_message(
            QueueUrl=self._url,
            MessageBody=body,
            MessageAttributes={REASON: {"DataType": "String", "StringValue": text}},
        )
