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
        "AwsSolutions-ECS4": "Insights are charged by metric; what a person on call needs is on the dashboard: the queue, its age, its dead letters."
    },
    "Task": {
        "AwsSolutions-ECS2": "The variables are names and addresses, and no secrets; a secret goes through `ecs.Secret`.",
        "AwsSolutions-IAM5[Resource::*]": "ecr:GetAuthorizationToken knows no resource (Service Authorization Reference, Amazon ECR).",
    },
}
"""Of a container's parts, by their construct ids."""


def acknowledge(construct: IConstruct, findings: Mapping[str, str]) -> None:
    """Acknowledge findings of cdk-nag's AwsSolutions (rule -> reason) on `construct` and what is in it."""
    Validations.of(construct).acknowledge(*(Acknowledgment(id=f"AwsSolutions::{rule}", reason=reason) for rule, reason in findings.items()))
