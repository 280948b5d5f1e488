"""Dead letters: where a message goes that could not be handled.

Law: every target, every function that is invoked asynchronously and every queue has one; it is encrypted, takes TLS only, and keeps for 14
days, which is the most that SQS keeps.
"""

from aws_cdk import Duration
from aws_cdk import aws_sqs as sqs
from constructs import Construct

MAX_RECEIVE_COUNT = 5
"""How often a message is delivered before it is dead (Lambda's documentation on SQS event sources: at least 5)."""


def dead_letter_queue(
    scope: Construct, name: str, *, construct_id: str = "DeadLetters"
) -> sqs.Queue:
    """A dead-letter queue named `<name>-dead-letters`."""
    return sqs.Queue(
        scope,
        construct_id,
        queue_name=f"{name}-dead-letters",
        encryption=sqs.QueueEncryption.SQS_MANAGED,
        enforce_ssl=True,
        retention_period=Duration.days(14),
    )


def fed_queue(
    scope: Construct,
    name: str,
    dead_letters: sqs.Queue,
    *,
    handled_within: Duration,
    construct_id: str = "Queue",
) -> sqs.Queue:
    """A queue whose consumer handles a message within `handled_within`; what fails five times goes to `dead_letters`."""
    return sqs.Queue(
        scope,
        construct_id,
        queue_name=name,
        encryption=sqs.QueueEncryption.SQS_MANAGED,
        enforce_ssl=True,
        # Lambda's documentation on SQS event sources: at least six times the function's timeout.
        visibility_timeout=Duration.seconds(6 * int(handled_within.to_seconds())),
        retention_period=Duration.days(4),
        dead_letter_queue=sqs.DeadLetterQueue(
            queue=dead_letters, max_receive_count=MAX_RECEIVE_COUNT
        ),
    )
