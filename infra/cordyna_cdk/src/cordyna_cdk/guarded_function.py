"""A Lambda function with a role of its own, which at first may only write its own log.

Invariant: no managed policy and no `*` in an action; the function logs as JSON, and its log group
has a retention.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from aws_cdk import Duration, RemovalPolicy
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk import aws_sqs as sqs
from constructs import Construct

ARCHITECTURES: Final = {
    "arm64": lambda_.Architecture.ARM_64,
    "x86_64": lambda_.Architecture.X86_64,
}
NEWEST_PYTHON: Final = "python3.14"


def runtime_of(scope: Construct) -> lambda_.Runtime:
    """The newest Python, or the context value `cordyna:runtime` (an emulator has its own)."""
    return lambda_.Runtime(
        scope.node.try_get_context("cordyna:runtime") or NEWEST_PYTHON, lambda_.RuntimeFamily.PYTHON
    )


def architecture_of(scope: Construct) -> lambda_.Architecture:
    """arm64, or the context value `cordyna:architecture`."""
    return ARCHITECTURES[scope.node.try_get_context("cordyna:architecture") or "arm64"]


class GuardedFunction(lambda_.Function):
    """A Python function.

    Args:
        name: of the function, and of its log group `/aws/lambda/<name>`.
        dead_letters: for events of asynchronous invocations; those are not retried, and not started
            when older than a minute.
        may_recurse: whether its own messages may reach it again. By default AWS Lambda ends such a
            chain after about 16 invocations, and drops the message (recursive loop detection).
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        name: str,
        handler: str,
        code: lambda_.Code,
        layers: Sequence[lambda_.ILayerVersion],
        environment: Mapping[str, str],
        timeout: Duration,
        memory_mb: int = 512,
        log_retention: logs.RetentionDays = logs.RetentionDays.ONE_MONTH,
        dead_letters: sqs.IQueue | None = None,
        reserved_concurrency: int | None = None,
        on_failure: lambda_.IDestination | None = None,
        key: kms.IKey | None = None,
        may_recurse: bool = False,
    ) -> None:
        log = logs.LogGroup(
            scope,
            f"{construct_id}Log",
            log_group_name=f"/aws/lambda/{name}",
            retention=log_retention,
            removal_policy=RemovalPolicy.DESTROY,
            encryption_key=key,
        )
        role = iam.Role(
            scope,
            f"{construct_id}Role",
            assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"),
            description=f"permissions of {name}",
        )
        super().__init__(
            scope,
            construct_id,
            function_name=name,
            handler=handler,
            code=code,
            runtime=runtime_of(scope),
            architecture=architecture_of(scope),
            layers=list(layers),
            environment={"POWERTOOLS_SERVICE_NAME": name, **environment},
            timeout=timeout,
            memory_size=memory_mb,
            role=role,
            log_group=log,
            logging_format=lambda_.LoggingFormat.JSON,
            retry_attempts=0 if dead_letters else None,
            max_event_age=Duration.seconds(60) if dead_letters else None,
            dead_letter_queue=dead_letters,
            on_failure=on_failure,
            reserved_concurrent_executions=reserved_concurrency,
            recursive_loop=lambda_.RecursiveLoop.ALLOW if may_recurse else None,
        )
        log.grant_write(role)
