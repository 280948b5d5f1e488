"""Findings of checkers such as cdk-nag that are accepted, each with its reason.

Invariant: a finding is acknowledged where it arises and nowhere above, so that the next one of its
kind is found.
"""

from collections.abc import Mapping
from typing import Final

from aws_cdk import Acknowledgment, Validations
from constructs import IConstruct

CONTAINER_FINDINGS: Final = {
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
