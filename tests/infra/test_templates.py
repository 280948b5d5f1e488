"""Templates: what the tests of the infrastructure look through is there."""

import re
from pathlib import Path
from typing import Final

from infra.templates import Template

OF_OTHER_CONTEXTS: Final = {
    "AWS::ApiGatewayV2::Api",
    "AWS::ApiGatewayV2::Authorizer",
    "AWS::ApiGatewayV2::Integration",
    "AWS::ApiGatewayV2::Route",
    "AWS::ApiGatewayV2::Stage",
    "AWS::CodeDeploy::DeploymentGroup",
    "AWS::Events::Connection",
    "AWS::KMS::Key",
    "AWS::Lambda::Alias",
    "AWS::SNS::Subscription",
}
"""Looked for where a context or an alert makes them."""

ABSENT: Final = {"AWS::EC2::NatGateway", "AWS::ElasticLoadBalancingV2::LoadBalancer"}
"""Looked for because there must be none: they cost money each hour."""


def test_kinds_that_tests_look_through_exist(stacks: dict[str, Template]) -> None:
    """A loop over resources of a kind that is misspelt, or made no longer, finds no fault."""
    tests = [path.read_text() for path in Path(__file__).parent.glob("*.py")]
    named = {kind for text in tests for kind in re.findall(r'\("(AWS::\w+::\w+)"', text)}
    exist = {
        resource["Type"]
        for template in stacks.values()
        for resource in template.content["Resources"].values()
    }
    assert named > {"AWS::SQS::Queue", "AWS::Events::Rule"}
    assert named - exist <= OF_OTHER_CONTEXTS | ABSENT
