"""The roles of the pipeline: who may assume them, and what they may assume."""

from typing import Any

import pytest
from cfnlint.decode.cfn_yaml import load

from architecture.repository import ROOT

ISSUER = "token.actions.githubusercontent.com"


@pytest.fixture(scope="module")
def resources() -> dict[str, Any]:
    found: dict[str, Any] = load(str(ROOT / "infra" / "github_roles.yaml"))["Resources"]
    return found


def test_provider_of_the_account_outlives_its_stack(resources: dict[str, Any]) -> None:
    """Roles of other stacks trust it, too, also those of a second stage."""
    provider = resources["Provider"]
    assert (provider["DeletionPolicy"], provider["UpdateReplacePolicy"]) == ("Retain", "Retain")


@pytest.mark.parametrize(
    ("role", "subject", "may_assume"),
    [
        ("DeployRole", "repo:${Repository}:environment:${Stage}", "role/cdk-*"),
        ("DiffRole", "repo:${Repository}:pull_request", "role/cdk-*-lookup-role-*"),
    ],
)
def test_role_trusts_one_kind_of_workflow(
    resources: dict[str, Any], role: str, subject: str, may_assume: str
) -> None:
    properties = resources[role]["Properties"]
    (trust,) = properties["AssumeRolePolicyDocument"]["Statement"]
    assert trust["Condition"] == {
        "StringEquals": {
            f"{ISSUER}:aud": "sts.amazonaws.com",
            f"{ISSUER}:sub": {"Fn::Sub": subject},
        }
    }
    (policy,) = properties["Policies"]
    (statement,) = policy["PolicyDocument"]["Statement"]
    assert statement["Action"] == "sts:AssumeRole"
    assert statement["Resource"]["Fn::Sub"].endswith(f":{may_assume}")
