"""Stages: everything that differs between production, staging and the local cloud."""

from dataclasses import dataclass
from typing import Final

from aws_cdk import RemovalPolicy
from aws_cdk import aws_logs as logs
from constructs import Construct

from cordyna_cdk.discovery import stage_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """One environment. `bus` is also the prefix of the names of cerebro's resources."""

    name: str
    bus: str = "cordyna"
    retention_days: int
    """Retention of runs and plans."""
    log_retention: logs.RetentionDays
    protected: bool
    """Whether the table and the log of events are protected, and survive the stack."""

    @property
    def removal(self) -> RemovalPolicy:
        """The removal policy of state."""
        return RemovalPolicy.RETAIN if self.protected else RemovalPolicy.DESTROY


STAGES: Final = {
    stage.name: stage
    for stage in (
        Stage(
            name="production",
            retention_days=90,
            log_retention=logs.RetentionDays.THREE_MONTHS,
            protected=True,
        ),
        Stage(
            name="staging",
            retention_days=14,
            log_retention=logs.RetentionDays.TWO_WEEKS,
            protected=False,
        ),
        Stage(
            name="local",
            retention_days=7,
            log_retention=logs.RetentionDays.ONE_WEEK,
            protected=False,
        ),
    )
}
"""A stage has an account of its own.

Two in one account need two names of the bus: `-c cordyna:bus=...`.
"""


def stage_from(scope: Construct) -> Stage:
    """Return the stage of the context value `cordyna:stage`, with the bus of `cordyna:bus`.

    Raises KeyError for an unknown stage.
    """
    stage = STAGES[stage_of(scope)]
    bus = scope.node.try_get_context("cordyna:bus")
    if bus is None:
        return stage
    return Stage(
        name=stage.name,
        bus=bus,
        retention_days=stage.retention_days,
        log_retention=stage.log_retention,
        protected=stage.protected,
    )
