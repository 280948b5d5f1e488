"""Findings of cdk-nag's AwsSolutions in cerebro's stack that are accepted, each with its reason.

(Those in a task server are acknowledged in the construct, for every team:
`cordyna_cdk.acknowledged_findings`.)
"""

from collections.abc import Mapping
from typing import Final

from constructs import IConstruct

from cordyna_cdk.acknowledged_findings import acknowledge
from cordyna_cdk.dead_letters import DEAD_LETTER_SUFFIX
from cordyna_infra.cerebro_stack import CerebroStack

CHOSEN_RUNTIME: Final = {
    "AwsSolutions-L1": "The context value cordyna:runtime names another Python on purpose."
}
"""For the whole app, if its Python is chosen: the newest one is the default."""

_LOCAL_ARN: Final = "arn:<AWS::Partition>:{service}:<AWS::Region>:<AWS::AccountId>:{resource}"


def _wildcard(service: str, resource: str) -> str:
    return f"AwsSolutions-IAM5[Resource::{_LOCAL_ARN.format(service=service, resource=resource)}]"


def acknowledge_findings(cerebro: CerebroStack) -> None:
    """Acknowledge the findings, each where it arises."""
    for path, findings in _findings(cerebro.stage_.bus).items():
        construct: IConstruct = cerebro
        for part in path.split("/"):
            construct = construct.node.find_child(part)
        acknowledge(construct, findings)


def _findings(bus: str) -> Mapping[str, Mapping[str, str]]:
    """Return path of a construct in the stack -> rule -> reason."""
    schedules = {
        _wildcard("scheduler", f"schedule/{bus}/*"): (
            "Schedules are named at run time; the group is exact."
        )
    }
    list_schedules = {
        "AwsSolutions-IAM5[Resource::*]": (
            "scheduler:ListSchedules takes no resource (Service Authorization Reference)."
        )
    }
    queues_of_servers = {
        _wildcard("sqs", f"*{suffix}"): (
            "The queues of all task servers, which are not known here but carry a tag that the "
            "statement requires."
        )
        for suffix in ("-work", DEAD_LETTER_SUFFIX)
    }
    return {
        "Bus/DeadLetters": {
            "AwsSolutions-SQS3": "It is itself a dead-letter queue, of the rule that logs events."
        },
        "TimerResources/Wait": {
            "AwsSolutions-SF1": (
                "The timekeeper logs each page timer; logging each wait, too, would cost more than "
                "the wait. Failed executions have an alarm; the sweep replaces a lost timer."
            ),
            "AwsSolutions-SF2": "Runs are traced by the `traceparent` of their messages.",
        },
        "TimerResources/WaitRole": {
            "AwsSolutions-IAM5[Action::kms:GenerateDataKey*]": (
                "The CDK's task that sends to a queue with a customer's key; the key is exact."
            )
        },
        "RegistryRole": {**schedules, **list_schedules},
        "PlannerRole": schedules,
        "TrackerRole": schedules,
        "TimekeeperRole": schedules,
        "IncidentsRole": schedules,
        "OperatorPolicies/Operate": {**schedules, **list_schedules, **queues_of_servers},
        "OperatorPolicies/Look": {
            "AwsSolutions-IAM5[Resource::*]": (
                "lambda:GetAccountSettings and servicequotas:ListServiceQuotas take no resource "
                "(Service Authorization Reference); nor does scheduler:ListSchedules."
            ),
            _wildcard("ssm", "parameter/cordyna/*"): (
                "The parameters by which cordyna is found; nothing else is under that path."
            ),
            _wildcard("logs", "log-group:/aws/lambda/*"): (
                "`dyna logs` reads the logs of all task servers, which are not known here but "
                "carry a tag."
            ),
            _wildcard("logs", "log-group:/cordyna/*"): "The same, for servers in containers.",
        },
    }
