"""The target of every schedule of cerebro: a message to the timekeeper's queue.

Invariant: Scheduler retries a failed delivery for an hour, then sends it to a dead-letter queue.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from mypy_boto3_scheduler.type_defs import TargetTypeDef

RETRY_MAX_AGE_S: Final = 3600


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleTarget:
    """The queue that schedules send to, the role that they use, and their dead-letter queue ("":
    none).
    """

    queue_arn: str
    role_arn: str
    dead_letter_arn: str = ""

    def with_input(self, body: str) -> "TargetTypeDef":
        """Return the target as CreateSchedule takes it.

        See Amazon EventBridge Scheduler, templated targets.
        """
        target: TargetTypeDef = {
            "Arn": self.queue_arn,
            "RoleArn": self.role_arn,
            "Input": body,
            "RetryPolicy": {
                "MaximumEventAgeInSeconds": RETRY_MAX_AGE_S,
                "MaximumRetryAttempts": 185,
            },
        }
        if self.dead_letter_arn:
            target["DeadLetterConfig"] = {"Arn": self.dead_letter_arn}
        return target
