"""Step Functions, Scheduler and SQS in virtual time. They refuse what AWS refuses."""

# ruff: noqa: N803, A002  (the names of botocore's parameters)

import heapq
import json
import re
from dataclasses import replace
from datetime import UTC, datetime
from itertools import count
from typing import Any

from botocore.exceptions import ClientError

from adapters.cloud import ACCOUNT, REGION
from cerebro.adapters.aws.crons import AwsCrons
from cerebro.adapters.aws.schedules import ScheduleTarget
from cerebro.adapters.aws.timers import EARLY_LOOKS_S, AwsTimers, TimerTargets
from cerebro.adapters.internal_codec import decode_internal
from cerebro.core.graph.graph import Graph
from cerebro.core.internal_messages import FanOut, PageTimer
from cerebro.testing.examples import NOW

QUEUES = {
    name: f"https://sqs.{REGION}.amazonaws.com/{ACCOUNT}/{name}"
    for name in ("timekeeper", "tracker", "incidents")
}
MACHINE = f"arn:aws:states:{REGION}:{ACCOUNT}:stateMachine:wait"
GROUP = "cordyna-test"
TARGET = ScheduleTarget(
    queue_arn=f"arn:aws:sqs:{REGION}:{ACCOUNT}:timekeeper",
    role_arn=f"arn:aws:iam::{ACCOUNT}:role/scheduler",
    dead_letter_arn=f"arn:aws:sqs:{REGION}:{ACCOUNT}:timekeeper-dead",
)
TIMER_TARGETS = TimerTargets(
    timekeeper_queue_url=QUEUES["timekeeper"],
    tracker_queue_url=QUEUES["tracker"],
    incidents_queue_url=QUEUES["incidents"],
    wait_state_machine_arn=MACHINE,
    schedule_group=GROUP,
)

LATE_MAX_S = 59.0
"""EventBridge Scheduler invokes within the minute of the schedule."""

HOP_S = 0.05


class VirtualAws:
    """Clients of SQS, Step Functions and Scheduler in one.

    `late_s`: how late every schedule fires.
    """

    def __init__(self, *, late_s: float = LATE_MAX_S, waits_in_queue: bool = False) -> None:
        self.now = NOW
        self._late_s = late_s
        self._under_way: list[tuple[float, int, str]] = []
        self._tickets = count()
        self.schedules: dict[str, dict[str, Any]] = {}
        self.timers = AwsTimers(
            replace(TIMER_TARGETS, waits_in_queue=waits_in_queue),
            TARGET,
            lambda: self.now,
            sqs=lambda: self,  # type: ignore[arg-type, return-value]
            stepfunctions=lambda: self,  # type: ignore[arg-type, return-value]
            scheduler=lambda: self,  # type: ignore[arg-type, return-value]
        )

    def next_delivery(self) -> PageTimer | FanOut | None:
        if not self._under_way:
            return None
        at, _, body = heapq.heappop(self._under_way)
        self.now = max(self.now, at)
        message = decode_internal(body)
        assert isinstance(message, PageTimer | FanOut | None)
        return message

    # SQS
    def send_message(self, *, QueueUrl: str, MessageBody: str, DelaySeconds: int = 0) -> None:
        assert QueueUrl == QUEUES["tracker" if "walk" in MessageBody else "timekeeper"]
        assert 0 <= DelaySeconds <= 900, "SQS refuses longer delays"
        self._deliver(self.now + DelaySeconds, MessageBody)

    # Step Functions: a Wait with SecondsPath, then a SendMessage to the timekeeper's queue.
    def start_execution(self, *, stateMachineArn: str, input: str) -> None:
        assert stateMachineArn == MACHINE
        waiting = json.loads(input)
        waits = [waiting[name] for name in (*EARLY_LOOKS_S, "seconds") if name in waiting]
        assert all(isinstance(wait, int) for wait in waits), "a Wait takes whole seconds"
        seconds = sum(waits)
        assert 0 <= seconds < 300, "an Express execution lasts at most 5 minutes"
        self._deliver(self.now + seconds, waiting["body"])

    # Scheduler
    def create_schedule(
        self,
        *,
        Name: str,
        GroupName: str,
        ScheduleExpression: str,
        Target: dict[str, Any],
        **given: Any,
    ) -> None:
        assert GroupName == GROUP
        assert re.fullmatch(r"[0-9A-Za-z_.-]{1,64}", Name)
        assert given["FlexibleTimeWindow"] == {"Mode": "OFF"}
        assert (Target["Arn"], Target["RoleArn"], Target["DeadLetterConfig"]) == (
            TARGET.queue_arn,
            TARGET.role_arn,
            {"Arn": TARGET.dead_letter_arn},
        )
        if Name in self.schedules:
            raise refusal("ConflictException")
        self.schedules[Name] = {
            "expression": ScheduleExpression,
            "input": Target["Input"],
            "State": "ENABLED",
            **given,
        }
        if at := re.fullmatch(r"at\((.*)\)", ScheduleExpression):
            due = datetime.strptime(at[1], "%Y-%m-%dT%H:%M:%S").replace(tzinfo=UTC).timestamp()
            assert due > self.now, "Scheduler refuses the past"
            assert given["ActionAfterCompletion"] == "DELETE"
            self._deliver(due + self._late_s, Target["Input"])

    def delete_schedule(self, *, Name: str, GroupName: str) -> None:
        assert GroupName == GROUP
        if self.schedules.pop(Name, None) is None:
            raise refusal("ResourceNotFoundException")

    def get_paginator(self, operation: str) -> "VirtualAws":
        assert operation == "list_schedules"
        return self

    def paginate(self, *, GroupName: str, NamePrefix: str) -> list[dict[str, Any]]:
        assert GroupName == GROUP
        matching = [
            {"Name": name, "State": made["State"]}
            for name, made in self.schedules.items()
            if name.startswith(NamePrefix)
        ]
        return [{"Schedules": matching[:1]}, {"Schedules": matching[1:]}]

    def crons(self, *heads: Graph) -> AwsCrons:
        """Crons that read the next of `heads` as the graph's head each time."""
        rest = iter(heads)
        client: Any = self
        return AwsCrons(GROUP, TARGET, lambda: next(rest), lambda: client)

    def _deliver(self, at: float, body: str) -> None:
        heapq.heappush(self._under_way, (at + HOP_S, next(self._tickets), body))


def refusal(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": "virtual"}}, "Operation")
