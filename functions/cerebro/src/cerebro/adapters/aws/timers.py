"""Timers: what brings cerebro's messages back later on AWS.

Law: a ring comes when it is due, at most about a second later. One that is due within a minute waits in a state machine
(Step Functions, Express), which is exact to the second; a farther one is a schedule (EventBridge Scheduler), which may be 59 s
late and is therefore set 60 s early: its ring comes early, and sends itself on through the state machine.
"""

import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from botocore.exceptions import ClientError

from cerebro.adapters.aws.schedules import Target
from cerebro.adapters.internal_codec import encode_internal
from cerebro.core.effects import FanOut, PageTimer
from cordyna_core.contract.ids import derived_id
from cordyna_core.ports import Clock

if TYPE_CHECKING:
    from mypy_boto3_scheduler import EventBridgeSchedulerClient
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_stepfunctions import SFNClient

LONGEST_WAIT_S: Final = 60
"""A state machine that waits is paid by the second, so it waits for no more than a schedule can be late."""

SOONEST_SCHEDULE_S: Final = 5
"""A schedule in the past is refused, and its own request takes a moment."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TimersAddress:
    """Where rings and walks go, and what brings them there."""

    timekeeper_queue_url: str
    tracker_queue_url: str
    wait_state_machine_arn: str
    schedule_group: str


class AwsTimers:
    """Implements the Timers port. Clients are asked for when they are first needed: most processes need few."""

    def __init__(
        self,
        address: TimersAddress,
        target: Target,
        clock: Clock,
        *,
        sqs: Callable[[], "SQSClient"],
        stepfunctions: Callable[[], "SFNClient"],
        scheduler: Callable[[], "EventBridgeSchedulerClient"],
    ) -> None:
        self._address, self._target, self._clock = address, target, clock
        self._sqs, self._stepfunctions, self._scheduler = sqs, stepfunctions, scheduler

    def send_page_timer(self, ring: PageTimer) -> None:
        ahead = ring.due - self._clock()
        if ahead <= 0:
            self._sqs().send_message(
                QueueUrl=self._address.timekeeper_queue_url, MessageBody=encode_internal(ring)
            )
        elif ahead <= LONGEST_WAIT_S + SOONEST_SCHEDULE_S:
            self._wait(ring)
        else:
            self._schedule(ring)

    def send_fan_out(self, walk: FanOut) -> None:
        self._sqs().send_message(
            QueueUrl=self._address.tracker_queue_url, MessageBody=encode_internal(walk)
        )

    def _wait(self, ring: PageTimer) -> None:
        # Rounded up to the whole seconds that a Wait knows: a ring that comes early would only be sent on again.
        given = {"timestamp": rfc3339_seconds(math.ceil(ring.due)), "body": encode_internal(ring)}
        self._stepfunctions().start_execution(
            stateMachineArn=self._address.wait_state_machine_arn, input=json.dumps(given)
        )

    def _schedule(self, ring: PageTimer) -> None:
        at = rfc3339_seconds(math.floor(ring.due) - LONGEST_WAIT_S).removesuffix("Z")
        try:
            self._scheduler().create_schedule(
                GroupName=self._address.schedule_group,
                Name=ring_name(ring),
                ScheduleExpression=f"at({at})",
                FlexibleTimeWindow={"Mode": "OFF"},
                ActionAfterCompletion="DELETE",
                Target=self._target.with_input(encode_internal(ring)),
            )
        except ClientError as refused:
            # The name says what it is: this very ring has been set already.
            if refused.response["Error"]["Code"] != "ConflictException":
                raise


def ring_name(ring: PageTimer) -> str:
    """The name of a ring's schedule: the same ring has the same name."""
    return f"ring-{derived_id('ring', ring.run_id, ring.page, f'{ring.due:.3f}')}"


def rfc3339_seconds(seconds: int) -> str:
    """UTC in whole seconds, such as 2026-11-05T06:00:00Z."""
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%SZ}"
