"""Crons on AWS: one EventBridge Scheduler schedule per cron, in the time zone of its task.

Invariant: after `apply` the schedules are those of the graph's head: they are set, and the head is
read again, until it has not moved. A schedule's name is derived from what it fires and when, so
schedules are only created and deleted, never compared.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from botocore.exceptions import ClientError

from cerebro.adapters.aws.schedules import ScheduleTarget
from cerebro.adapters.internal_codec import SCHEDULED_TIME
from cerebro.core.graph.graph import Graph
from cordyna_core.contract.cron import Cron
from cordyna_core.contract.declaration import TaskDeclaration
from cordyna_core.contract.ids import derived_id

if TYPE_CHECKING:
    from mypy_boto3_scheduler import EventBridgeSchedulerClient
    from mypy_boto3_scheduler.literals import ScheduleStateType

PREFIX: Final = "cron-"
"""Page timers have their schedules in the same group, under another prefix."""


@dataclass(frozen=True, slots=True)
class CronSchedule:
    """The schedule of one cron."""

    task: str
    expression: str
    timezone: str

    @property
    def name(self) -> str:
        """At most 64 characters (EventBridge Scheduler quotas).

        A declaration that changes gives another name.
        """
        return f"{stem_of(self.task)}{derived_id(self.expression, self.timezone)[:8]}"

    @property
    def body(self) -> str:
        """The message that it sends to the timekeeper's queue.

        Scheduler fills in the nominal time.
        """
        return json.dumps(
            {"tick": {"task": self.task, "nominal": SCHEDULED_TIME}}, separators=(",", ":")
        )


class AwsCrons:
    """Implements the Crons port. `read_graph` reads the graph's head strongly."""

    def __init__(
        self,
        group: str,
        target: ScheduleTarget,
        read_graph: Callable[[], Graph],
        scheduler: Callable[[], "EventBridgeSchedulerClient"],
    ) -> None:
        self._group, self._target, self._read_graph, self._scheduler = (
            group,
            target,
            read_graph,
            scheduler,
        )

    def apply(self, graph: Graph) -> None:
        while True:
            self._set(graph)
            head = self._read_graph()
            if head.generation == graph.generation:
                return
            # A concurrent declaration may have set its schedules before we set ours: the newer
            # graph wins.
            graph = head

    def _set(self, graph: Graph) -> None:
        wanted = {
            schedule.name: schedule
            for owned in graph.crons
            if (schedule := schedule_of(owned.task))
        }
        existing = self._existing()
        paused = {_stem_in(name) for name, state in existing.items() if state == "DISABLED"}
        # Create before deleting the old one: a duplicate tick gives the same run, a lost tick gives
        # none.
        for name in sorted(wanted.keys() - existing.keys()):
            self._create(wanted[name], "DISABLED" if _stem_in(name) in paused else "ENABLED")
        for name in sorted(existing.keys() - wanted.keys()):
            self._delete(name)

    def _existing(self) -> dict[str, "ScheduleStateType"]:
        pages = (
            self._scheduler()
            .get_paginator("list_schedules")
            .paginate(GroupName=self._group, NamePrefix=PREFIX)
        )
        return {
            schedule["Name"]: schedule["State"] for page in pages for schedule in page["Schedules"]
        }

    def _create(self, schedule: CronSchedule, state: "ScheduleStateType") -> None:
        try:
            self._scheduler().create_schedule(
                GroupName=self._group,
                Name=schedule.name,
                Description=f"Cron of task {schedule.task}",
                ScheduleExpression=schedule.expression,
                ScheduleExpressionTimezone=schedule.timezone,
                FlexibleTimeWindow={"Mode": "OFF"},
                State=state,
                Target=self._target.with_input(schedule.body),
            )
        except ClientError as refused:
            # Another process applied the same graph first.
            if refused.response["Error"]["Code"] != "ConflictException":
                raise

    def _delete(self, name: str) -> None:
        try:
            self._scheduler().delete_schedule(GroupName=self._group, Name=name)
        except ClientError as refused:
            if refused.response["Error"]["Code"] != "ResourceNotFoundException":
                raise


def schedule_of(task: TaskDeclaration) -> CronSchedule | None:
    """Return the schedule of a task; None if it has no cron."""
    return (
        CronSchedule(task.name, Cron.parse(task.cron).to_eventbridge(), task.timezone)
        if task.cron is not None
        else None
    )


def stem_of(task: str) -> str:
    """Return the prefix of the names of a task's schedules: readable, and found by `NamePrefix`."""
    return f"{PREFIX}{task[:24]}-{derived_id('cron', task)[:12]}-"


def _stem_in(name: str) -> str:
    return name[:-8]
