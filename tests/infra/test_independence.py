"""Stacks are independent: no exports between them, and names that do not collide."""

import json
from pathlib import Path

import pytest

from infra.conftest import synthesized
from infra.templates import Template

ACCOUNT_WIDE = {
    "AWS::IAM::ManagedPolicy": "ManagedPolicyName",
    "AWS::IAM::Role": "RoleName",
    "AWS::CloudWatch::Dashboard": "DashboardName",
}
"""Kinds whose names are unique in an account, whatever the region."""

NAMED = {
    **ACCOUNT_WIDE,
    "AWS::CloudWatch::Alarm": "AlarmName",
    "AWS::ECS::Cluster": "ClusterName",
    "AWS::Events::Archive": "ArchiveName",
    "AWS::Events::EventBus": "Name",
    "AWS::Lambda::Function": "FunctionName",
    "AWS::Lambda::LayerVersion": "LayerName",
    "AWS::Logs::LogGroup": "LogGroupName",
    "AWS::Logs::ResourcePolicy": "PolicyName",
    "AWS::SNS::Topic": "TopicName",
    "AWS::SQS::Queue": "QueueName",
    "AWS::SSM::Parameter": "Name",
    "AWS::Scheduler::ScheduleGroup": "Name",
    "AWS::StepFunctions::StateMachine": "StateMachineName",
}


def test_stacks_import_nothing_from_each_other(stacks: dict[str, Template]) -> None:
    for template in stacks.values():
        assert "Fn::ImportValue" not in json.dumps(template.content), template.name
        assert "Outputs" not in template.content, template.name


def test_account_wide_names_hold_region_and_bus(stacks: dict[str, Template]) -> None:
    for template in stacks.values():
        for kind, attribute in ACCOUNT_WIDE.items():
            for name, properties in template.all(kind).items():
                if attribute in properties:
                    text = json.dumps(properties[attribute])
                    assert "AWS::Region" in text, name
                    assert "cordyna" in text, name


@pytest.fixture(scope="module")
def staging(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Template]:
    """A second stage in the same account."""
    return synthesized(tmp_path_factory.mktemp("staging"), stage="staging", bus="cordyna-staging")


def names_in(stacks: dict[str, Template]) -> set[tuple[str, str]]:
    return {
        (kind, json.dumps(properties[attribute]))
        for template in stacks.values()
        for kind, attribute in NAMED.items()
        for properties in template.all(kind).values()
        if attribute in properties
    }


def test_two_stages_in_one_account_share_no_name(
    stacks: dict[str, Template], staging: dict[str, Template]
) -> None:
    assert len(names_in(stacks)) > 30
    assert names_in(stacks) & names_in(staging) == set()


def test_stages_of_a_server_are_named_by_stage(
    tmp_path: Path, staging: dict[str, Template]
) -> None:
    functions = {
        function["FunctionName"]
        for function in staging["staging-task-server-b"].all("AWS::Lambda::Function").values()
    }
    assert functions == {
        "staging-task-server-b-ingress",
        "staging-task-server-b-checks",
        "staging-task-server-b-worker",
        "staging-task-server-b-deployment",
    }
