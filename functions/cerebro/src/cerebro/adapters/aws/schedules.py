"""Schedules: what every schedule of cerebro has in common: it puts a text into the timekeeper's queue.

Law: what Scheduler cannot deliver is tried again for an hour, and then goes to a dead-letter queue.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from mypy_boto3_scheduler.type_defs import TargetTypeDef

TRIED_FOR_S: Final = 3600


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """The queue that schedules feed, the role with which they do, and where goes what they cannot deliver ("": nowhere)."""

    queue_arn: str
    role_arn: str
    dead_letter_arn: str = ""

    def with_input(self, body: str) -> "TargetTypeDef":
        """As Scheduler wants it ("Amazon SQS SendMessage", templated targets)."""
        target: TargetTypeDef = {
            "Arn": self.queue_arn,
            "RoleArn": self.role_arn,
            "Input": body,
            "RetryPolicy": {"MaximumEventAgeInSeconds": TRIED_FOR_S, "MaximumRetryAttempts": 185},
        }
        if self.dead_letter_arn:
            target["DeadLetterConfig"] = {"Arn": self.dead_letter_arn}
        return target
