"""The destination of invocations that failed: a function that ends their attempts.

A Lambda that runs out of memory, reaches its timeout or cannot start sends no state update. Without
this destination the run clock would report it, by default after 30 minutes.
"""

import jsii
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from constructs import Construct


@jsii.implements(lambda_.IDestination)
class FailureDestination:
    """As the CDK's `LambdaDestination`, without its permission for every version."""

    def __init__(self, function: lambda_.IFunction) -> None:
        self._function = function

    def bind(
        self,
        scope: Construct,
        fn: lambda_.IFunction,
        *,
        type: lambda_.DestinationType,  # noqa: A002 (the interface of the CDK)
    ) -> lambda_.DestinationConfig:
        """Return the configuration of `fn`, which may invoke the destination."""
        fn.add_to_role_policy(
            iam.PolicyStatement(
                actions=["lambda:InvokeFunction"], resources=[self._function.function_arn]
            )
        )
        return lambda_.DestinationConfig(destination=self._function.function_arn)
