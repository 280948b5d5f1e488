"""Encryption with a key of the customer, by a context."""

import json
from pathlib import Path

import pytest

from infra.conftest import synthesized
from infra.templates import Template, listed, text_of


@pytest.fixture(scope="module")
def cerebro(tmp_path_factory: pytest.TempPathFactory) -> Template:
    folder: Path = tmp_path_factory.mktemp("encrypted")
    return synthesized(folder, customer_key="true")["cerebro"]


def uses_key(value: object) -> bool:
    return '"Key' in json.dumps(value)


def test_no_key_is_created_by_default(stacks: dict[str, Template]) -> None:
    assert stacks["cerebro"].all("AWS::KMS::Key") == {}


def test_customer_key_rotates_and_survives_production(cerebro: Template) -> None:
    (key,) = [
        each for each in cerebro.content["Resources"].values() if each["Type"] == "AWS::KMS::Key"
    ]
    assert key["DeletionPolicy"] == "Retain"
    assert key["Properties"]["EnableKeyRotation"] is True


def test_customer_key_encrypts_table_queues_and_logs(cerebro: Template) -> None:
    for queue in cerebro.all("AWS::SQS::Queue").values():
        assert uses_key(queue["KmsMasterKeyId"])
    for group in cerebro.all("AWS::Logs::LogGroup").values():
        assert uses_key(group["KmsKeyId"])
    (replica,) = cerebro.one("AWS::DynamoDB::GlobalTable")["Replicas"]
    assert uses_key(replica["SSESpecification"])


def test_roles_that_use_queues_or_table_may_use_the_key(cerebro: Template) -> None:
    for policy in cerebro.all("AWS::IAM::Policy").values():
        statements = policy["PolicyDocument"]["Statement"]
        actions = {action for each in statements for action in listed(each["Action"])}
        if any(action.startswith(("sqs:", "dynamodb:")) for action in actions):
            assert {"kms:Decrypt", "kms:GenerateDataKey"} <= actions, policy["PolicyName"]


def test_services_may_use_the_key_within_the_account(cerebro: Template) -> None:
    statements = cerebro.one("AWS::KMS::Key")["KeyPolicy"]["Statement"]
    services = {
        json.dumps(each["Principal"]["Service"]): each
        for each in statements
        if "Service" in each["Principal"]
    }
    assert len(services) == 2
    assert all("Condition" in each for each in services.values())


def test_encrypted_queues_admit_only_their_own_rules(cerebro: Template) -> None:
    rules = cerebro.all("AWS::Events::Rule")
    admitted = [
        statement["Condition"]["ArnEquals"]["aws:SourceArn"]["Fn::GetAtt"][0]
        for policy in cerebro.all("AWS::SQS::QueuePolicy").values()
        for statement in policy["PolicyDocument"]["Statement"]
        if statement["Effect"] == "Allow"
    ]
    assert set(admitted) == set(rules)


def test_operators_may_use_the_key_of_dead_letters(tmp_path: Path) -> None:
    cerebro = synthesized(tmp_path, customer_key="true")["cerebro"]
    (operate,) = [
        policy
        for policy in cerebro.all("AWS::IAM::ManagedPolicy").values()
        if "operate" in text_of(policy["ManagedPolicyName"])
    ]
    actions = [
        action
        for statement in operate["PolicyDocument"]["Statement"]
        for action in listed(statement["Action"])
    ]
    assert {"kms:Decrypt", "kms:GenerateDataKey"} <= set(actions)
