"""Views of runs: a run with its tasks, a list of runs, and what tasks printed.

Invariant: a view is derived when it is asked for. The JSON of RunView is a published format.
"""

from datetime import datetime
from typing import Any, Literal

from pydantic import ConfigDict, Field

from cordyna_core.contract.base import ErrorDescription, Part, RootCause, State, no_items
from cordyna_core.contract.ids import Name
from cordyna_core.contract.json_values import JsonObject
from cordyna_core.contract.state_updates import RunState


class TimelineEntryView(Part):
    """One state that was reported of a task run: when, by which source, for which attempt."""

    state: State
    reason: str | None = None
    at: datetime
    by: str
    attempt: int


class MadeFrom(Part):
    """What a reused result was made from: its run, when it was dispatched, and with what.

    `params` are those of its whole upstream closure, `versions` the hashes of the declarations of
    its nearest tasks. Both are None when its run is no longer stored.
    """

    run_id: str
    at: datetime
    params: JsonObject | None = None
    versions: dict[str, str] | None = None


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
    timeline: list[TimelineEntryView] = Field(default_factory=no_items)
    made_from: MadeFrom | None = Field(None, description="Of a reused result.")
    # For people, and not part of the published JSON.
    upstream: list[str] = Field(default_factory=no_items, exclude=True)
    owner: str | None = Field(None, exclude=True)
    level: int = Field(0, exclude=True)
    deadline: datetime | None = Field(None, exclude=True)
    blocked_by: list[str] = Field(default_factory=no_items, exclude=True)
    why: str = Field("", exclude=True)
    progress: float | None = Field(None, exclude=True)
    message: str | None = Field(None, exclude=True)


class RunView(Part):
    """One run, its tasks in topological order. `source`: who sent the invocation."""

    run_id: str
    task: Name
    state: RunState
    root_causes: list[RootCause] = Field(default_factory=no_items)
    tasks: list[TaskView] = Field(default_factory=no_items)
    created_at: datetime | None = Field(None, exclude=True)
    params: JsonObject = Field(default_factory=dict, exclude=True)
    labels: dict[str, str] = Field(default_factory=dict, exclude=True)
    scheduled_at: datetime | None = Field(None, exclude=True)
    cancelled: bool = Field(False, exclude=True)
    source: str | None = Field(None, exclude=True)

    @property
    def is_final(self) -> bool:
        """Whether the run has ended; a late update or a retry may open it again."""
        return self.state in ("completed", "error")


class RunSummary(Part):
    """One run in a list.

    `source`: who sent the invocation, where that is known. `scheduled_at`: the tick of a cron that
    began it.
    """

    run_id: str
    task: Name
    state: RunState
    created_at: datetime
    cancelled: bool = False
    source: str | None = None
    scheduled_at: datetime | None = None


class RunCriteria(Part):
    """Which runs of a list are wanted; a field that is None excludes none.

    `state`: a cancelled run is in no other state. `since`: created then or later.
    `until`: created before then. `sender`: the class of the source that sent the invocation.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    task: Name | None = None
    state: RunState | Literal["cancelled"] | None = None
    since: datetime | None = None
    until: datetime | None = None
    sender: Literal["client", "server", "scheduler"] | None = None


class LogLine(Part):
    """One line of a task's output or log.

    `shared`: a thread or process printed it while several tasks ran, so its task is not certain.
    """

    run_id: str
    task: Name
    attempt: int
    at: datetime
    stream: Literal["stdout", "stderr", "log", "shared"]
    text: str


class PassedEvent(Part):
    """An envelope as it passed the bus; `seq` increases in that order."""

    seq: int
    text: str
