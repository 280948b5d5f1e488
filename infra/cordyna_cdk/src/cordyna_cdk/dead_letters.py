"""Queues, and the dead-letter queues of what could not be handled.

Invariant: every target, every function that is invoked asynchronously and every queue has a
dead-letter queue; it is encrypted, accepts TLS only, and retains messages for 14 days, the maximum
of SQS.
"""

from typing import Final

from aws_cdk import Duration
from aws_cdk import aws_kms as kms
from aws_cdk import aws_sqs as sqs
from constructs import Construct

DEAD_LETTER_SUFFIX: Final = "-dead-letters"

MAX_MESSAGE_BYTES: Final = 1_048_576
"""As large as an event may be (Amazon SQS; its default was a quarter of it until 2025)."""

MAX_RECEIVE_COUNT = 5
"""Deliveries before a message is a dead letter (AWS Lambda, SQS event sources: at least 5)."""


def dead_letter_queue(
    scope: Construct,
    name: str,
    *,
    construct_id: str = "DeadLetters",
    key: kms.IKey | None = None,
) -> sqs.Queue:
    """Return a dead-letter queue named `<name>-dead-letters`."""
    return sqs.Queue(
        scope,
        construct_id,
        queue_name=f"{name}{DEAD_LETTER_SUFFIX}",
        encryption=_encryption(key),
        encryption_master_key=key,
        enforce_ssl=True,
        max_message_size_bytes=MAX_MESSAGE_BYTES,
        retention_period=Duration.days(14),
    )


def fed_queue(
    scope: Construct,
    name: str,
    dead_letters: sqs.Queue,
    *,
    handled_within: Duration,
    construct_id: str = "Queue",
    max_receive_count: int = MAX_RECEIVE_COUNT,
    key: kms.IKey | None = None,
) -> sqs.Queue:
    """Return a queue whose consumer handles a message within `handled_within`."""
    return sqs.Queue(
        scope,
        construct_id,
        queue_name=name,
        encryption=_encryption(key),
        encryption_master_key=key,
        enforce_ssl=True,
        # At least six times the function's timeout (AWS Lambda, SQS event sources).
        visibility_timeout=Duration.seconds(6 * int(handled_within.to_seconds())),
        max_message_size_bytes=MAX_MESSAGE_BYTES,
        retention_period=Duration.days(4),
        dead_letter_queue=sqs.DeadLetterQueue(
            queue=dead_letters, max_receive_count=max_receive_count
        ),
    )


def _encryption(key: kms.IKey | None) -> sqs.QueueEncryption:
    return sqs.QueueEncryption.SQS_MANAGED if key is None else sqs.QueueEncryption.KMS
