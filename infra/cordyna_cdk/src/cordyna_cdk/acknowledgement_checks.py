"""Acknowledgement checks: the queue by which a task server publishes `queued` only when needed.

Beside each command the queue ingress sends a check, which this queue delays. Its function then
publishes `queued` unless the body has begun (`cordyna_core.aws.acknowledgement`).

Invariant: checks of a burst are handled within the five seconds that are left of the first clock,
and none is sent while nothing handles it. So the function is not the ingress itself: a deployment
that adds the queue could only have it read after the ingress sends to it.
"""

from typing import Final

from aws_cdk import Duration
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from cordyna_cdk.dead_letters import fed_queue
from cordyna_cdk.guarded_function import GuardedFunction
from cordyna_cdk.lambda_workers import consume_statement

VARIABLE: Final = "CORDYNA_CHECK_QUEUE_URL"

BATCH_SIZE: Final = 100
"""One read of the claims, ten requests of the bus. A new queue is read in five batches at a time,
300 more each minute (AWS Lambda, SQS event sources).
"""

BATCHING_WINDOW: Final = Duration.seconds(1)
"""A batch of more than ten needs one."""


class AcknowledgementChecks(Construct):
    """Checks that `ingress` sends and `function`, whose timeout is `timeout`, handles.

    `name` is that of their server. What is no check goes to `dead_letters`.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        name: str,
        ingress: GuardedFunction,
        function: GuardedFunction,
        timeout: Duration,
        dead_letters: sqs.Queue,
    ) -> None:
        super().__init__(scope, construct_id)
        queue = fed_queue(
            self, f"{name}-checks", dead_letters, handled_within=timeout.plus(BATCHING_WINDOW)
        )
        lambda_.EventSourceMapping(
            self,
            "Source",
            target=function,
            event_source_arn=queue.queue_arn,
            batch_size=BATCH_SIZE,
            max_batching_window=BATCHING_WINDOW,
            report_batch_item_failures=True,
        )
        function.add_to_role_policy(consume_statement(queue))
        ingress.add_environment(VARIABLE, queue.queue_url)
        ingress.add_to_role_policy(
            iam.PolicyStatement(actions=["sqs:SendMessage"], resources=[queue.queue_arn])
        )
        # With the queue alone, an upgrade would not acknowledge what waits in its first minute.
        ingress.node.add_dependency(self)
