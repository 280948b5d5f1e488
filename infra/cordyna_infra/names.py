"""The names of cerebro's resources in one stage, for stacks that must not depend on each other.

Invariant: names are computed from the stage, or read from SSM when a stack is deployed. No stack
refers to an export of another one, so each can be deleted, replaced and deployed by itself.
"""

from dataclasses import dataclass
from functools import cached_property

from aws_cdk import ArnFormat, Stack
from constructs import Construct

from cordyna_cdk.discovery import Discovery
from cordyna_infra.handlers import HANDLERS, INVOKED, QUEUE_FED
from cordyna_infra.stage import Stage


@dataclass(frozen=True)
class CerebroNames:
    """The names as a stack of the same account and region sees them."""

    scope: Construct
    stage: Stage

    @property
    def bus(self) -> str:
        return self.stage.bus

    @cached_property
    def functions(self) -> dict[str, str]:
        """Handler -> the name of its function."""
        return {name: f"{self.bus}-{name}" for name in HANDLERS}

    @cached_property
    def queues(self) -> dict[str, str]:
        """Handler -> the name of its queue."""
        return {name: f"{self.bus}-{name}" for name in QUEUE_FED}

    @cached_property
    def dead_letters(self) -> dict[str, str]:
        """What a dead-letter queue belongs to -> its name."""
        owners = (*QUEUE_FED, *INVOKED, "log")
        return {name: f"{self.bus}-{name}-dead-letters" for name in owners}

    @property
    def wait_arn(self) -> str:
        """The state machine of page timers."""
        return Stack.of(self.scope).format_arn(
            service="states",
            resource="stateMachine",
            resource_name=f"{self.bus}-wait",
            arn_format=ArnFormat.COLON_RESOURCE_NAME,
        )

    @cached_property
    def table(self) -> str:
        """The state table, whose name differs by stage and restore."""
        return Discovery(self.scope, self.stage.name).find("table")

    @cached_property
    def events_log(self) -> str:
        """The log group of every event."""
        return Discovery(self.scope, self.stage.name).find("events-log")
