"""Claims: the table in which the first to claim an attempt may run its body.

Law: at most one body per attempt (section 9), whoever else is delivered the same command. A claim expires when the attempt is history.
"""

from aws_cdk import RemovalPolicy
from aws_cdk import aws_dynamodb as dynamodb
from constructs import Construct


def claims_table(scope: Construct) -> dynamodb.TableV2:
    """The claims of one server. The table has no name of its own, so that it can be replaced."""
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
