"""A function that is fed by a work queue, with a maximum of concurrent bodies."""

from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from cordyna_cdk.guarded_function import GuardedFunction


def checked_concurrency(max_concurrency: int) -> int:
    """`max_concurrency`.

    Raises ValueError unless it is 2 to 1,000 (AWS Lambda, maximum concurrency).
    """
    if not 2 <= max_concurrency <= 1000:
        raise ValueError(
            f"max_concurrency={max_concurrency}: an SQS event source takes 2 to 1000. "
            "Leave it out to start each body at once."
        )
    return max_concurrency


class LambdaWorkers(Construct):
    """The event source from `queue` to `function`: one command per batch, since a body may take the
    whole timeout.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        function: GuardedFunction,
        queue: sqs.Queue,
        max_concurrency: int,
    ) -> None:
        super().__init__(scope, construct_id)
        lambda_.EventSourceMapping(
            self,
            "Source",
            target=function,
            event_source_arn=queue.queue_arn,
            batch_size=1,
            max_concurrency=max_concurrency,
            report_batch_item_failures=True,
        )
        function.add_to_role_policy(consume_statement(queue))


def consume_statement(queue: sqs.Queue) -> iam.PolicyStatement:
    """What an event source needs of its queue (AWS Lambda, SQS event sources)."""
    return iam.PolicyStatement(
        actions=["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"],
        resources=[queue.queue_arn],
    )
