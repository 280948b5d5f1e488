"""The Timers port on AWS: delivers page timers when they are due, and fan-outs at once.

Invariant: a page timer arrives when it is due, at most about a second later. One that is due within
a minute waits in a state machine (Step Functions, Express), which drops it if its run has completed
meanwhile, as most have; or, where the deployment chose so, as a delayed message of the timekeeper's
queue, within 15 minutes; both are exact to the second. A later one is a schedule (EventBridge
Scheduler), which may fire 59 s late and is therefore set 60 s early: the timer arrives early, and
the timekeeper sends it again for the rest, always as a delayed message.

A wait is charged by its duration, and a read of the run costs an eighth of a second of it. So a
timer that is not shared looks for the end of its run early, too. A shared one may not: it is
recorded, and a rerun of the completed run may rely on it until it is due.
"""

import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from botocore.exceptions import ClientError

from cerebro.adapters.aws.dynamodb_runs import run_key
from cerebro.adapters.aws.schedules import ScheduleTarget
from cerebro.adapters.internal_codec import encode_internal
from cerebro.core.incidents.notices import AnyIncidentTimer, IncidentNotice
from cerebro.core.internal_messages import FanOut, OverdueCheck, PageTimer
from cordyna_core.contract.ids import derived_id
from cordyna_core.ports import Clock

if TYPE_CHECKING:
    from mypy_boto3_scheduler import EventBridgeSchedulerClient
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_stepfunctions import SFNClient

WAIT_MAX_S: Final = 60
"""A waiting state machine is charged by the second, so it waits no longer than a schedule can be
late.
"""

QUEUE_DELAY_MAX_S: Final = 900
"""The longest delay of a message (Amazon SQS, message timers)."""

EARLY_LOOKS_S: Final = {"first": 1, "second": 2, "third": 3}
"""How long a timer that is not shared waits before it looks for the end of its run, each time."""

_EARLY_S: Final = sum(EARLY_LOOKS_S.values())

_EARLY_MAX_S: Final = 0.001
"""What a delay may be too short by, for the rounding of times; to start it takes longer."""

SCHEDULE_MIN_AHEAD_S: Final = 5
"""Scheduler refuses a time in the past, and the request itself takes some time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TimerTargets:
    """The queues that timers and fan-outs are sent to, and the services that delay them."""

    timekeeper_queue_url: str
    tracker_queue_url: str
    incidents_queue_url: str
    wait_state_machine_arn: str
    schedule_group: str
    waits_in_queue: bool = False
    """Delay page timers on the timekeeper's queue instead of in the state machine."""


class AwsTimers:
    """Implements the Timers port.

    Clients are created when first needed: most processes need few.
    """

    def __init__(
        self,
        targets: TimerTargets,
        target: ScheduleTarget,
        clock: Clock,
        *,
        sqs: Callable[[], "SQSClient"],
        stepfunctions: Callable[[], "SFNClient"],
        scheduler: Callable[[], "EventBridgeSchedulerClient"],
    ) -> None:
        self._targets, self._target, self._clock = targets, target, clock
        self._sqs, self._stepfunctions, self._scheduler = sqs, stepfunctions, scheduler

    def send_page_timer(self, timer: PageTimer | AnyIncidentTimer) -> None:
        ahead = timer.due - self._clock()
        if ahead <= 0:
            self._sqs().send_message(
                QueueUrl=self._targets.timekeeper_queue_url, MessageBody=encode_internal(timer)
            )
        elif ahead <= self._wait_max_s + SCHEDULE_MIN_AHEAD_S:
            self._wait(timer, ahead)
        else:
            self._schedule(timer)

    def send_fan_out(self, fan_out: FanOut) -> None:
        self._sqs().send_message(
            QueueUrl=self._targets.tracker_queue_url, MessageBody=encode_internal(fan_out)
        )

    def send_incident_timer(self, timer: AnyIncidentTimer) -> None:
        self.send_page_timer(timer)

    def send_incident_notice(self, notice: IncidentNotice) -> None:
        self._sqs().send_message(
            QueueUrl=self._targets.incidents_queue_url, MessageBody=encode_internal(notice)
        )

    def send_overdue_check(self, check: OverdueCheck) -> None:
        self._sqs().send_message(
            QueueUrl=self._targets.tracker_queue_url, MessageBody=encode_internal(check)
        )

    @property
    def _wait_max_s(self) -> int:
        return QUEUE_DELAY_MAX_S if self._targets.waits_in_queue else WAIT_MAX_S

    def _wait(self, timer: PageTimer | AnyIncidentTimer, ahead: float) -> None:
        if self._targets.waits_in_queue:
            self._sqs().send_message(
                QueueUrl=self._targets.timekeeper_queue_url,
                MessageBody=encode_internal(timer),
                DelaySeconds=min(QUEUE_DELAY_MAX_S, whole_seconds(ahead)),
            )
            return
        # For so long after its start: a Wait takes whole seconds, so one that ends at a time would
        # last half a second more on average, which is charged. `timestamp` is for the state machine
        # of the version before, which reads nothing else.
        seconds = whole_seconds(ahead)
        waiting: dict[str, str | int] = {
            "seconds": seconds,
            "timestamp": rfc3339_seconds(math.ceil(timer.due)),
            "body": encode_internal(timer),
        }
        if isinstance(timer, PageTimer):
            waiting["run"] = run_key(timer.run_id)[0]
            if not timer.is_shared and seconds > _EARLY_S:
                waiting |= {**EARLY_LOOKS_S, "seconds": seconds - _EARLY_S}
        self._stepfunctions().start_execution(
            stateMachineArn=self._targets.wait_state_machine_arn, input=json.dumps(waiting)
        )

    def _schedule(self, timer: PageTimer | AnyIncidentTimer) -> None:
        at = rfc3339_seconds(math.floor(timer.due) - WAIT_MAX_S).removesuffix("Z")
        try:
            self._scheduler().create_schedule(
                GroupName=self._targets.schedule_group,
                Name=schedule_name(timer),
                ScheduleExpression=f"at({at})",
                FlexibleTimeWindow={"Mode": "OFF"},
                ActionAfterCompletion="DELETE",
                Target=self._target.with_input(encode_internal(timer)),
            )
        except ClientError as refused:
            # The name is derived from the timer: this one has been set already.
            if refused.response["Error"]["Code"] != "ConflictException":
                raise


def schedule_name(timer: PageTimer | AnyIncidentTimer) -> str:
    """Return the name of a timer's schedule; the same timer has the same name."""
    if not isinstance(timer, PageTimer):
        return f"ring-{derived_id('incident', timer.id)}"
    return f"ring-{derived_id('ring', timer.run_id, timer.page, f'{timer.due:.3f}')}"


def whole_seconds(ahead: float) -> int:
    """Return a delay that ends no earlier than `ahead` seconds from now.

    The time to start it is not counted.
    """
    return math.ceil(ahead - _EARLY_MAX_S)


def rfc3339_seconds(seconds: int) -> str:
    """Return a UTC time in whole seconds, such as 2026-11-05T06:00:00Z."""
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%SZ}"
