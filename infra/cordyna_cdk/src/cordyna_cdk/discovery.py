"""Discovery: a team's stack finds cerebro by SSM parameters under `/cordyna/<stage>/`, in the same
account and region.

Invariant: a team's stack refers to no export of cerebro's stack, so both are deployed in any order
after the first time.
"""

from dataclasses import dataclass
from typing import Final, Literal

from aws_cdk import aws_ssm as ssm
from constructs import Construct

from cordyna_core.aws.deployed_names import DEFAULT_STAGE

ParameterName = Literal[
    "bus",
    "table",
    "query",
    "layer",
    "events-log",
    "schedule-group",
    "network-vpc",
    "network-subnets",
]

SERVER_TAG: Final = "cordyna:server"
"""The tag on every resource of a task server; its value is the server's name.

It permits operators to read its logs.
"""


def stage_of(scope: Construct) -> str:
    """Return the context value `cordyna:stage`; default: production."""
    return str(scope.node.try_get_context("cordyna:stage") or DEFAULT_STAGE)


def parameter_name(stage: str, name: ParameterName) -> str:
    """Return `/cordyna/production/bus`."""
    return f"/cordyna/{stage}/{name}"


@dataclass(frozen=True, slots=True)
class Discovery:
    """The parameters of one stage, read when the stack is deployed."""

    scope: Construct
    stage: str

    def find(self, name: ParameterName) -> str:
        """Return the value of a parameter, resolved at deployment."""
        return ssm.StringParameter.value_for_string_parameter(
            self.scope, parameter_name(self.stage, name)
        )
