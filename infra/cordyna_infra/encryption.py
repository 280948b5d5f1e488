"""Encryption with a key of the customer, by the context value `cordyna:customer-key=true`.

Without it the table uses a key of DynamoDB, queues a key of SQS, and logs the key of CloudWatch:
all are encrypted at rest, and none of it costs anything. A key of one's own ($1 a month, and $0.03
per 10,000 requests) can be revoked, and its use appears in CloudTrail.

Invariant: who may use an encrypted resource may use the key, and others may not: AWS services
by the policy of the key, functions by their roles.
"""

from collections.abc import Iterable

from aws_cdk import RemovalPolicy, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from constructs import Construct

from cordyna_infra.stage import Stage


def customer_key(scope: Construct, construct_id: str, *, stage: Stage) -> kms.Key | None:
    """Return the key of table, queues and logs; None unless the context asks for one."""
    if str(scope.node.try_get_context("cordyna:customer-key") or "").lower() != "true":
        return None
    key = kms.Key(
        scope,
        construct_id,
        alias=f"alias/{stage.bus}",
        description=f"cordyna, {stage.name}: table, queues and logs",
        enable_key_rotation=True,
        # A deleted key makes the table unreadable: it outlives its stack as the table does.
        removal_policy=RemovalPolicy.RETAIN if stage.protected else RemovalPolicy.DESTROY,
    )
    stack = Stack.of(scope)
    key.add_to_resource_policy(
        iam.PolicyStatement(
            sid="DeliveryToQueues",
            principals=[iam.ServicePrincipal("events.amazonaws.com")],
            actions=["kms:Decrypt", "kms:GenerateDataKey"],
            resources=["*"],
            conditions={"StringEquals": {"aws:SourceAccount": stack.account}},
        )
    )
    key.add_to_resource_policy(
        iam.PolicyStatement(
            sid="Logs",
            principals=[iam.ServicePrincipal(f"logs.{stack.region}.amazonaws.com")],
            actions=["kms:Encrypt", "kms:Decrypt", "kms:GenerateDataKey", "kms:DescribeKey"],
            resources=["*"],
            conditions={
                "ArnLike": {
                    "kms:EncryptionContext:aws:logs:arn": stack.format_arn(
                        service="logs", resource="*"
                    )
                }
            },
        )
    )
    return key


def allow_key(key: kms.IKey | None, grantees: Iterable[iam.IGrantable]) -> None:
    """Let roles read and write what the key encrypts."""
    if key is not None:
        for grantee in grantees:
            grantee.grant_principal.add_to_principal_policy(
                iam.PolicyStatement(
                    actions=["kms:Decrypt", "kms:GenerateDataKey"], resources=[key.key_arn]
                )
            )
