"""Discovery: how a team's stack finds cerebro's, in the same account and region: by SSM parameters under `/cordyna/<stage>/`.

Law: a team's stack refers to no export of cerebro's stack, so both are deployed in any order after the first time.
"""

from dataclasses import dataclass
from typing import Final, Literal

from aws_cdk import aws_ssm as ssm
from constructs import Construct

Found = Literal["bus", "table", "query", "layer", "events-log", "schedule-group"]

DEFAULT_STAGE: Final = "production"

SERVER_TAG: Final = "cordyna:server"
"""On everything of a task server's: its name. By it people may read what its tasks print, and nothing else of the account."""


def stage_of(scope: Construct) -> str:
    """The context value `cordyna:stage`, by default production."""
    return str(scope.node.try_get_context("cordyna:stage") or DEFAULT_STAGE)


def parameter_name(stage: str, name: Found) -> str:
    """`/cordyna/production/bus`."""
    return f"/cordyna/{stage}/{name}"


@dataclass(frozen=True, slots=True)
class Discovery:
    """The parameters of one stage, as a stack reads them when it is deployed."""

    scope: Construct
    stage: str

    def find(self, name: Found) -> str:
        """The value of a parameter, resolved at deployment."""
        return ssm.StringParameter.value_for_string_parameter(
            self.scope, parameter_name(self.stage, name)
        )
