"""Findings of checkers such as cdk-nag that are accepted, each with its reason.

Invariant: a finding is acknowledged where it arises and nowhere above, so that the next one of its
kind is found.
"""

from collections.abc import Mapping
from typing import Final

from aws_cdk import Acknowledgment, Validations
from constructs import IConstruct

CONTAINER_FINDINGS: Final = {
    "Network": {
        "AwsSolutions-VPC7": (
            "Nothing listens in this network; its security group admits no inbound traffic. "
            "A flow log would cost more than the network."
        )
    },
    "Cluster": {
        "AwsSolutions-ECS4": (
            "Insights are charged by metric; the dashboard has what is needed: the queue, its age, "
            "its dead letters."
        )
    },
    "Task": {
        "AwsSolutions-ECS2": (
            "The variables are names and addresses, no secrets; a secret goes through `ecs.Secret`."
        ),
        "AwsSolutions-IAM5[Resource::*]": (
            "ecr:GetAuthorizationToken takes no resource (Service Authorization Reference)."
        ),
    },
}
"""Construct id of a part of a container -> rule -> reason."""

DECLARATION_FINDINGS: Final = {
    "@aws-cdk/aws-lambda:addPermissionsToVersionOrAlias": (
        "Only the trigger invokes a version, by a role that may; the rule does not."
    )
}
"""Annotations of the CDK itself: rule -> reason."""


def acknowledge(
    construct: IConstruct, findings: Mapping[str, str], checker: str = "AwsSolutions"
) -> None:
    """Acknowledge findings of a checker (rule -> reason) on `construct` and its children."""
    Validations.of(construct).acknowledge(
        *(
            Acknowledgment(id=f"{checker}::{rule}", reason=reason)
            for rule, reason in findings.items()
        )
    )
