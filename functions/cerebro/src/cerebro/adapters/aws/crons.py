"""Crons: who fires the crons on AWS: a schedule for each, in the time zone of its task (EventBridge Scheduler).

Law: after `apply` the schedules are those of the graph's head: they are set, and the head is read again, until it has not
moved. A schedule's name says what it fires and when, so schedules are only made and deleted, never compared.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from botocore.exceptions import ClientError

from cerebro.adapters.aws.schedules import Target
from cerebro.adapters.internal_codec import SCHEDULED_TIME
from cerebro.core.graph.graph import Graph
from cordyna_core.contract.cron import Cron
from cordyna_core.contract.declaration import TaskDeclaration
from cordyna_core.contract.ids import derived_id

if TYPE_CHECKING:
    from mypy_boto3_scheduler import EventBridgeSchedulerClient
    from mypy_boto3_scheduler.literals import ScheduleStateType

PREFIX: Final = "cron-"
"""Rings have their schedules in the same group, under another prefix."""


@dataclass(frozen=True, slots=True)
class Fires:
    """What one cron's schedule is."""

    task: str
    expression: str
    timezone: str

    @property
    def name(self) -> str:
        """At most 64 characters (EventBridge Scheduler quotas); a declaration that changes gives another name."""
        return f"{stem_of(self.task)}{derived_id(self.expression, self.timezone)[:8]}"

    @property
    def body(self) -> str:
        """What it puts into the timekeeper's queue: Scheduler fills in the nominal time."""
        return json.dumps(
            {"tick": {"task": self.task, "nominal": SCHEDULED_TIME}}, separators=(",", ":")
        )


class AwsCrons:
    """Implements the Crons port. `read_graph` reads the graph's head strongly."""

    def __init__(
        self,
        group: str,
        target: Target,
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
            # Whoever declared meanwhile may have set its schedules before we set ours: the newer graph counts.
            graph = head

    def _set(self, graph: Graph) -> None:
        wanted = {fires.name: fires for placed in graph.crons if (fires := fires_of(placed.task))}
        there = self._there()
        paused = {_stem_in(name) for name, state in there.items() if state == "DISABLED"}
        # Made before the old one is deleted: a tick that comes twice is one run, and a tick that is lost is lost.
        for name in sorted(wanted.keys() - there.keys()):
            self._make(wanted[name], "DISABLED" if _stem_in(name) in paused else "ENABLED")
        for name in sorted(there.keys() - wanted.keys()):
            self._delete(name)

    def _there(self) -> dict[str, "ScheduleStateType"]:
        pages = (
            self._scheduler()
            .get_paginator("list_schedules")
            .paginate(GroupName=self._group, NamePrefix=PREFIX)
        )
        return {
            schedule["Name"]: schedule["State"] for page in pages for schedule in page["Schedules"]
        }

    def _make(self, fires: Fires, state: "ScheduleStateType") -> None:
        try:
            self._scheduler().create_schedule(
                GroupName=self._group,
                Name=fires.name,
                Description=f"Cron of task {fires.task}",
                ScheduleExpression=fires.expression,
                ScheduleExpressionTimezone=fires.timezone,
                FlexibleTimeWindow={"Mode": "OFF"},
                State=state,
                Target=self._target.with_input(fires.body),
            )
        except ClientError as refused:
            # Somebody else who applies the same graph was quicker.
            if refused.response["Error"]["Code"] != "ConflictException":
                raise

    def _delete(self, name: str) -> None:
        try:
            self._scheduler().delete_schedule(GroupName=self._group, Name=name)
        except ClientError as refused:
            if refused.response["Error"]["Code"] != "ResourceNotFoundException":
                raise


def fires_of(task: TaskDeclaration) -> Fires | None:
    """The schedule of a task that has a cron."""
    return (
        Fires(task.name, Cron.parse(task.cron).to_eventbridge(), task.timezone)
        if task.cron is not None
        else None
    )


def stem_of(task: str) -> str:
    """What the name of a task's schedule begins with, for a person to recognize and a program to find."""
    return f"{PREFIX}{task[:24]}-{derived_id('cron', task)[:12]}-"


def _stem_in(name: str) -> str:
    return name[:-8]
