"""Acknowledged: what a checker such as cdk-nag finds and we leave as it is, with the reason beside it.

Law: a finding is acknowledged where it arises and nowhere above, so that the next one like it is found.
"""

from collections.abc import Mapping
from typing import Final

from aws_cdk import Acknowledgment, Validations
from constructs import IConstruct

IN_A_CONTAINER: Final = {
    "Network": {
        "AwsSolutions-VPC7": "Nothing listens in this network and its security group lets nobody in; a flow log would cost more than it."
    },
    "Cluster": {
        "AwsSolutions-ECS4": "Insights are charged by metric; the dashboard has what is needed: the queue, its age, its dead letters."
    },
    "Task": {
        "AwsSolutions-ECS2": "The variables are names and addresses, and no secrets; a secret goes through `ecs.Secret`.",
        "AwsSolutions-IAM5[Resource::*]": "ecr:GetAuthorizationToken knows no resource (Service Authorization Reference, Amazon ECR).",
    },
}
"""Of a container's parts, by their construct ids."""


DECLARED_BY_A_TRIGGER: Final = {
    "@aws-cdk/aws-lambda:addPermissionsToVersionOrAlias": "Only the trigger invokes a version, in a role that may; the rule does not."
}
"""Of the CDK's own annotations."""


def acknowledge(
    construct: IConstruct, findings: Mapping[str, str], checker: str = "AwsSolutions"
) -> None:
    """Acknowledge a checker's findings (rule -> reason) on `construct` and on what is in it."""
    Validations.of(construct).acknowledge(
        *(
            Acknowledgment(id=f"{checker}::{rule}", reason=reason)
            for rule, reason in findings.items()
        )
    )
