"""Views: what a person or a program is shown when it asks.

Law: a view is derived when it is asked for. `to_json` of RunView and PlanView is a published format.
"""

from datetime import datetime
from typing import Any, Literal

from pydantic import Field

from cordyna_core.contract.base import ErrorDescription, JsonObject, Part, Problem, RootCause, State
from cordyna_core.contract.ids import Name


class TimelineEntryView(Part):
    """One thing that was said about a task run."""

    state: State
    reason: str | None = None
    at: datetime
    by: str
    attempt: int


class TaskView(Part):
    """One task run."""

    task: Name
    server: str
    state: State
    reason: str | None = None
    attempt: int = 0
    params: JsonObject = Field(default_factory=dict)
    output: Any = None
    error: ErrorDescription | None = None
    timeline: list[TimelineEntryView] = Field(default_factory=list)
    # What a person is shown beside it; not part of the published JSON.
    upstream: list[str] = Field(default_factory=list, exclude=True)
    owner: str | None = Field(None, exclude=True)
    level: int = Field(0, exclude=True)
    deadline: datetime | None = Field(None, exclude=True)
    blocked_by: list[str] = Field(default_factory=list, exclude=True)
    why: str = Field("", exclude=True)


class RunView(Part):
    """One run, its tasks in topological order."""

    run_id: str
    task: Name
    state: Literal["running", "failing", "completed", "error"]
    root_causes: list[RootCause] = Field(default_factory=list)
    tasks: list[TaskView] = Field(default_factory=list)
    created_at: datetime | None = Field(None, exclude=True)
    params: JsonObject = Field(default_factory=dict, exclude=True)
    labels: dict[str, str] = Field(default_factory=dict, exclude=True)
    scheduled_at: datetime | None = Field(None, exclude=True)
    cancelled: bool = Field(False, exclude=True)

    @property
    def is_final(self) -> bool:
        """Whether nothing more happens unless something is healed or retried."""
        return self.state in ("completed", "error")


class RunSummary(Part):
    """One run in a list."""

    run_id: str
    task: Name
    state: Literal["running", "failing", "completed", "error"]
    created_at: datetime


class PlannedTaskView(Part):
    """One task of a plan; `level` is the length of the longest way to it from a task without upstreams."""

    task: Name
    server: str
    upstream: list[str]
    level: int


class PlanView(Part):
    """What an invocation would run, in topological order, or why it would be refused."""

    task: str
    tasks: list[PlannedTaskView] = Field(default_factory=list)
    problems: list[Problem] = Field(default_factory=list)


class TaskInfo(Part):
    """One declared task."""

    task: Name
    server: Name
    upstream: list[str]
    unresolved: list[str] = Field(default_factory=list)
    cron: str | None = None
    timezone: str = "UTC"
    next_at: datetime | None = None
    owner: str | None = None
    description: str | None = None
    params_schema: JsonObject | None = None


class ServerInfo(Part):
    """One task server as cerebro knows it."""

    server: Name
    state: Literal["ready", "draining", "stopped", "unresponsive", "unknown"]
    tasks: int
    revision: int
    last_seen_at: datetime | None = None


class LogLine(Part):
    """One line that a task printed or logged; `shared`: printed by a thread or process while several tasks ran."""

    run_id: str
    task: Name
    attempt: int
    at: datetime
    stream: Literal["stdout", "stderr", "log", "shared"]
    text: str


class PassedEvent(Part):
    """An envelope as it passed the bus; `seq` counts up in that order."""

    seq: int
    text: str
