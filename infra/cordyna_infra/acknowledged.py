"""Acknowledged: what cdk-nag's AwsSolutions finds in cerebro's stack and we leave as it is. This table is the whole of it.

(What it finds in a task server is acknowledged in the construct, for every team: `cordyna_cdk.acknowledged`.)
"""

from collections.abc import Mapping
from typing import Final

from constructs import IConstruct

from cordyna_cdk.acknowledged import acknowledge
from cordyna_infra.cerebro_stack import CerebroStack

_HERE: Final = "arn:<AWS::Partition>:{service}:<AWS::Region>:<AWS::AccountId>:{resource}"


def _wildcard(service: str, resource: str) -> str:
    return f"AwsSolutions-IAM5[Resource::{_HERE.format(service=service, resource=resource)}]"


def acknowledge_findings(cerebro: CerebroStack) -> None:
    """Acknowledge them, each where it arises."""
    for path, findings in _findings(cerebro.stage_.bus).items():
        construct: IConstruct = cerebro
        for part in path.split("/"):
            construct = construct.node.find_child(part)
        acknowledge(construct, findings)


def _findings(bus: str) -> Mapping[str, Mapping[str, str]]:
    """The construct's path in the stack -> rule -> reason."""
    named_later = {
        _wildcard(
            "scheduler", f"schedule/{bus}/*"
        ): "Schedules are named by what they are for, when it comes up; the group is exact."
    }
    listed = {
        "AwsSolutions-IAM5[Resource::*]": "scheduler:ListSchedules knows no resource (Service Authorization Reference)."
    }
    return {
        "Bus/DeadLetters": {
            "AwsSolutions-SQS3": "It is a dead-letter queue itself: of the rule that logs every event."
        },
        "Timers/Wait": {
            "AwsSolutions-SF1": "A ring is logged by the timekeeper that hears it; logging each wait as well would cost more than waiting. "
            "Failed executions have an alarm, and the sweep mends a lost ring.",
            "AwsSolutions-SF2": "A run is traced by the `traceparent` in its messages, across servers in any language.",
        },
        "RegistryRole": {**named_later, **listed},
        "PlannerRole": named_later,
        "TrackerRole": named_later,
        "TimekeeperRole": named_later,
        "People/Operate": {**named_later, **listed},
        "People/Invoke": {
            _wildcard(
                "ssm", "parameter/cordyna/*"
            ): "The parameters by which cordyna is found; there is nothing else under that path.",
            _wildcard(
                "logs", "log-group:/aws/lambda/*"
            ): "`dyna logs` reads what any task server logged; which there are is not known here, but they carry a tag.",
            _wildcard("logs", "log-group:/cordyna/*"): "The same, of servers in containers.",
        },
    }
