"""Dead letters: where goes what can never be handled, with its reason beside it.

Law: the message is put there as it came, so that it can be put back when its reason is gone.
"""

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

REASON: Final = "reason"
"""The message attribute that says why."""

LONGEST_REASON: Final = 1024

_NOT_ALLOWED: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What SQS refuses in a text (Amazon SQS, SendMessage)."""


class DeadLetters:
    """One dead-letter queue."""

    def __init__(self, sqs: Callable[[], "SQSClient"], url: str) -> None:
        self._sqs, self._url = sqs, url

    def add_dead_letter(self, body: str, reason: str) -> None:
        """Put `body` there. Raises what botocore raises; then it must not be acknowledged."""
        told = _NOT_ALLOWED.sub("\ufffd", reason)[:LONGEST_REASON] or "unknown"
        self._sqs().send_message(
            QueueUrl=self._url,
            MessageBody=body,
            MessageAttributes={REASON: {"DataType": "String", "StringValue": told}},
        )
