"""Policies, examined by parliament, which knows the resources and conditions of every action."""

import importlib
import json
import sys
import warnings
from importlib.resources import files
from types import ModuleType
from typing import Any

import pytest

from infra.templates import Statement, Template, listed, text_of

ARNS = {
    # Part of a logical id -> an ARN of its kind.
    "DeadLetters": "arn:aws:sqs:us-east-1:111122223333:queue",
    "Queue": "arn:aws:sqs:us-east-1:111122223333:queue",
    "Log": "arn:aws:logs:us-east-1:111122223333:log-group:group:*",
    "EveryEvent": "arn:aws:logs:us-east-1:111122223333:log-group:group:*",
    "State": "arn:aws:dynamodb:us-east-1:111122223333:table/cordyna",
    "Claims": "arn:aws:dynamodb:us-east-1:111122223333:table/claims",
    "Sender": "arn:aws:iam::111122223333:role/sender",
    "Wait": "arn:aws:states:us-east-1:111122223333:stateMachine:wait",
    "Bus": "arn:aws:events:us-east-1:111122223333:event-bus/cordyna",
    "Sweeper": "arn:aws:lambda:us-east-1:111122223333:function:sweeper",
    "Query": "arn:aws:lambda:us-east-1:111122223333:function:query",
    "Ingress": "arn:aws:lambda:us-east-1:111122223333:function:ingress",
    "Failures": "arn:aws:lambda:us-east-1:111122223333:function:failures",
    "Function": "arn:aws:lambda:us-east-1:111122223333:function:server",
}


def arn_of(resource: Any) -> str:
    text = text_of(resource)
    if not text.startswith("<"):
        return text.replace("<", "").replace(">", "")
    return next(arn for part, arn in ARNS.items() if part in text) + text.partition(">")[2]


def resolved(statement: Statement) -> Statement:
    """A statement as IAM receives it."""
    return {**statement, "Resource": [arn_of(each) for each in listed(statement["Resource"])]}


def load_parliament() -> Any:
    """parliament, with a substitute of pkg_resources, which setuptools no longer has."""
    substitute = ModuleType("pkg_resources")
    substitute.__dict__["resource_filename"] = lambda package, name: str(files(package) / name)
    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        patch.setitem(sys.modules, "pkg_resources", substitute)
        # It does not close one of its files.
        warnings.simplefilter("ignore", ResourceWarning)
        return importlib.import_module("parliament")


def findings(statements: list[Statement]) -> list[str]:
    analyzed = load_parliament().analyze_policy_string(
        json.dumps({"Version": "2012-10-17", "Statement": statements})
    )
    return [f"{each.issue}: {each.detail}" for each in analyzed.findings]


def test_policies_have_no_findings_of_parliament(
    stacks: dict[str, Template],
) -> None:
    problems_by_policy = {
        where: problems
        for template in stacks.values()
        for where, statement in template.statements()
        if (problems := findings([resolved(statement)]))
    }
    assert problems_by_policy == {}


@pytest.mark.parametrize(
    "wrong",
    [
        {"Action": "events:PutEvent", "Resource": "*"},
        {"Action": "sqs:SendMessage", "Resource": "arn:aws:sns:us-east-1:111122223333:topic"},
        {
            "Action": "events:PutEvents",
            "Resource": "*",
            "Condition": {"StringEquals": {"events:sourc": "x"}},
        },
    ],
)
def test_parliament_finds_wrong_statements(wrong: Statement) -> None:
    assert findings([{"Effect": "Allow", **wrong}])
