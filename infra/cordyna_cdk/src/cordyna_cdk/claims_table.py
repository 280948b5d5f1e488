"""The claims table: the first process that claims an attempt may run its body.

Invariant: at most one body per attempt, however often its command is delivered. A claim expires
some days after its attempt.
"""

from aws_cdk import RemovalPolicy
from aws_cdk import aws_dynamodb as dynamodb
from constructs import Construct


def claims_table(scope: Construct) -> dynamodb.TableV2:
    """The claims of one server. The table has no fixed name, so that it can be replaced."""
    return dynamodb.TableV2(
        scope,
        "Claims",
        partition_key=dynamodb.Attribute(name="pk", type=dynamodb.AttributeType.STRING),
        billing=dynamodb.Billing.on_demand(),
        time_to_live_attribute="ttl",
        point_in_time_recovery_specification=dynamodb.PointInTimeRecoverySpecification(
            point_in_time_recovery_enabled=True
        ),
        removal_policy=RemovalPolicy.DESTROY,
    )
