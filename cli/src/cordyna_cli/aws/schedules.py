"""Schedules: pauses and resumes the EventBridge schedules that fire crons.

Invariant: pausing changes the state of a schedule and nothing else: what UpdateSchedule would reset
is sent again.
"""

import json
from collections.abc import Iterator, Sequence
from typing import Any, Final

from cordyna_cli.aws.aws_session import AwsSession
from cordyna_core.errors import NotFound

_NAME_PREFIX: Final = "cron-"
_TASK_LENGTH_IN_NAME: Final = 24
"""A schedule's name holds this much of the task's name, and a hash."""

_KEPT_FIELDS: Final = (
    "Name",
    "GroupName",
    "ScheduleExpression",
    "ScheduleExpressionTimezone",
    "FlexibleTimeWindow",
    "Target",
    "Description",
)
"""UpdateSchedule replaces the whole schedule (EventBridge Scheduler API)."""


class CronSchedules:
    """The schedules of one cerebro."""

    def __init__(self, session: AwsSession, group: str) -> None:
        self._session, self._group = session, group

    def paused(self) -> Sequence[str]:
        """Return the tasks whose cron is paused. Raises AccessError, ServiceError."""
        names = self._names(_NAME_PREFIX, state="DISABLED")
        return sorted({_task_of(self._read(name)) for name in names})

    def pause(self, task: str, *, on: bool) -> None:
        """Pause the cron of `task`, or let it fire again. Raises NotFound."""
        prefix = f"{_NAME_PREFIX}{task[:_TASK_LENGTH_IN_NAME]}-"
        schedules = [
            schedule
            for schedule in map(self._read, self._names(prefix))
            if _task_of(schedule) == task
        ]
        if not schedules:
            raise NotFound(f'task "{task}" has no cron on this bus.', next="dyna cron ls")
        for schedule in schedules:
            kept = {name: schedule[name] for name in _KEPT_FIELDS if name in schedule}
            state = "DISABLED" if on else "ENABLED"
            self._session.call("scheduler", "update_schedule", **kept, State=state)

    def _names(self, prefix: str, state: str | None = None) -> Iterator[str]:
        token: dict[str, str] = {}
        filters = {} if state is None else {"State": state}
        while True:
            page = self._session.call(
                "scheduler",
                "list_schedules",
                GroupName=self._group,
                NamePrefix=prefix,
                **filters,
                **token,
            )
            yield from (
                schedule["Name"]
                for schedule in page["Schedules"]
                if state in (None, schedule["State"])
            )
            if not page.get("NextToken"):
                return
            token = {"NextToken": page["NextToken"]}

    def _read(self, name: str) -> dict[str, Any]:
        schedule: dict[str, Any] = self._session.call(
            "scheduler", "get_schedule", GroupName=self._group, Name=name
        )
        return schedule


def _task_of(schedule: dict[str, Any]) -> str:
    """Return the task whose ticks a schedule sends."""
    sent = json.loads(schedule["Target"].get("Input") or "{}")
    return str(sent.get("tick", {}).get("task", ""))
