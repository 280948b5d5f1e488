"""Lambda workers: a function that is fed by a work queue, at most so many bodies at a time."""

from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from cordyna_cdk.guarded_function import GuardedFunction


def checked_concurrency(max_concurrency: int) -> int:
    """Raises ValueError for what SQS event sources do not take (2 to 1,000; Lambda's documentation on maximum concurrency)."""
    if not 2 <= max_concurrency <= 1000:
        raise ValueError(
            f"max_concurrency is {max_concurrency}, and SQS takes 2 to 1000; leave it out to start each body at once"
        )
    return max_concurrency


class LambdaWorkers(Construct):
    """The event source between `queue` and `function`: one command a batch, for a body may take all of the function's time."""

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
        function.add_to_role_policy(may_consume(queue))


def may_consume(queue: sqs.Queue) -> iam.PolicyStatement:
    """What an event source needs of its queue (Lambda's documentation on SQS event sources)."""
    return iam.PolicyStatement(
        actions=["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"],
        resources=[queue.queue_arn],
    )
