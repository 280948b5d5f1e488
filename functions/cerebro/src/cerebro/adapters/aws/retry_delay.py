"""The delay before SQS delivers a failed message again: seconds, not the visibility timeout.

Invariant: the delay doubles with every delivery, from 1 s to at most 30 s.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

DELAY_MIN_S: Final = 1
DELAY_MAX_S: Final = 30


class RetryDelay:
    """Shortens the visibility of messages of one queue."""

    def __init__(self, sqs: Callable[[], "SQSClient"], url: str) -> None:
        self._sqs, self._url = sqs, url

    def postpone(self, receipt_handle: str, deliveries: int) -> None:
        """Have a message delivered again soon; `deliveries` counts this one. Raises as botocore."""
        self._sqs().change_message_visibility(
            QueueUrl=self._url,
            ReceiptHandle=receipt_handle,
            VisibilityTimeout=delay_s(deliveries),
        )


def delay_s(deliveries: int) -> int:
    """Return the delay after a number of deliveries."""
    # The exponent is bounded, so that a large count makes no large number.
    return int(min(DELAY_MAX_S, DELAY_MIN_S * 2 ** min(max(deliveries, 1) - 1, 10)))
