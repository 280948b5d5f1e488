"""The table that holds cerebro's graph and facts (docs/architecture.md)."""

from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_kms as kms
from constructs import Construct

from cordyna_infra.stage import Stage


def state_table(
    scope: Construct, construct_id: str, *, stage: Stage, key: kms.IKey | None = None
) -> dynamodb.ITableV2:
    """The state table: one of this stack, or the one that the context value `cordyna:table` names.

    A table of this stack has no fixed name, so that one that an earlier stack left behind does not
    block a deployment. It is on demand, so it costs nothing when idle. Items expire by
    `expires_at`; no decision depends on it.
    """
    restored = scope.node.try_get_context("cordyna:table")
    if restored is not None:
        return dynamodb.TableV2.from_table_name(scope, "RestoredState", restored)
    table = dynamodb.TableV2(
        scope,
        construct_id,
        partition_key=dynamodb.Attribute(name="pk", type=dynamodb.AttributeType.STRING),
        sort_key=dynamodb.Attribute(name="sk", type=dynamodb.AttributeType.STRING),
        billing=dynamodb.Billing.on_demand(),
        encryption=dynamodb.TableEncryptionV2.dynamo_owned_key(),
        time_to_live_attribute="expires_at",
        point_in_time_recovery_specification=dynamodb.PointInTimeRecoverySpecification(
            point_in_time_recovery_enabled=True
        ),
        deletion_protection=stage.protected,
        removal_policy=stage.removal,
    )
    if key is not None:
        _encrypt(table, key)
    return table


def _encrypt(table: dynamodb.TableV2, key: kms.IKey) -> None:
    # The CDK renders a customer's key only in stacks of a fixed region.
    resource = table.node.default_child
    assert isinstance(resource, dynamodb.CfnGlobalTable)
    resource.add_property_override("SSESpecification", {"SSEEnabled": True, "SSEType": "KMS"})
    resource.add_property_override("Replicas.0.SSESpecification", {"KMSMasterKeyId": key.key_arn})
