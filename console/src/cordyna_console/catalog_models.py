"""Catalog models: what the API says of declared tasks, their graph and servers."""

from pydantic import Field

from cordyna_console.answer_base import ApiAnswer
from cordyna_console.models import ApiRequest
from cordyna_core.contract.base import Problem
from cordyna_core.contract.declaration import ServerDeclared
from cordyna_core.contract.ids import Name
from cordyna_core.contract.json_values import JsonObject
from cordyna_core.contract.time import Instant
from cordyna_core.contract.views.graph import TaskInfo


class GraphAnswer(ApiAnswer):
    """Every declared task: columns with one entry a task, upstreams first."""

    generation: int
    servers: list[str]
    owners: list[str]
    task: list[str]
    server: list[int]
    owner: list[int]
    level: list[int]
    upstream: list[list[int]]
    cron: list[str | None]
    unresolved: dict[str, list[str]] = Field(
        description="A name that no server declares: who needs it."
    )


class TaskRow(TaskInfo):
    """One declared task with what needs it."""

    downstream: list[str] = Field(default_factory=list)
    paused: bool = False


class TaskList(ApiAnswer):
    """Declared tasks, by server and name."""

    rows: list[TaskRow]
    next: str | None = None
    generation: int


class RecentWord(ApiAnswer):
    """How a task ended, or is, in one of the newest runs."""

    run_id: str
    at: Instant
    state: str
    reason: str | None


class RecentTasks(ApiAnswer):
    """What became of every task in the newest runs, of each the newest first."""

    looked_at: int = Field(description="So many runs were looked at.")
    tasks: dict[str, list[RecentWord]]


class HistoryRow(ApiAnswer):
    """One task in one of the last runs that planned it."""

    run_id: str
    target: str
    at: Instant
    state: str
    reason: str | None
    attempt: int
    waited: float | None = Field(description="Seconds from the run's creation to the sending.")
    ran: float | None = Field(description="Seconds from start to end of the last attempt.")


class HistoryAnswer(ApiAnswer):
    """The last runs of a task, the newest first."""

    task: str
    rows: list[HistoryRow]
    looked_at: int = Field(description="So many runs were looked at.")


class PlanRequest(ApiRequest):
    """Ask what an invocation would run."""

    task: Name
    params: JsonObject = Field(default_factory=dict)


class RehearsalRequest(ApiRequest):
    """Declarations to rehearse, in this order. JSON only: nothing that is sent here is executed."""

    declared: list[ServerDeclared] = Field(min_length=1)


class ServerRow(ApiAnswer):
    """One task server."""

    server: str
    state: str
    tasks: int
    crons: int
    revision: int
    last_seen_at: Instant | None
    problem: str | None = Field(None, description="Why it did not load; of an embedded engine.")
    workers: "Workers | None" = Field(None, description="Of an embedded engine that runs.")
    owners: list[str]
    uses: list[str] = Field(description="Servers whose tasks it needs.")
    used_by: list[str] = Field(description="Servers that need its tasks.")
    last_rejection: "LastRejection | None" = None
    last_acceptance: "LastAcceptance | None" = None


class Workers(ApiAnswer):
    """How busy the processes of a server are."""

    concurrency: int = Field(description="Attempts that it runs at the same time.")
    running: int
    waiting: int = Field(description="Attempts that wait for a worker.")
    mode: str | None = Field(description="How a body is started, for example `fork`.")
    mode_reason: str | None


class LastRejection(ApiAnswer):
    """A declaration that was rejected."""

    at: Instant
    problems: list[Problem]


class LastAcceptance(ApiAnswer):
    """A declaration that was accepted; not known where the events of then were deleted."""

    at: Instant
    generation: int = Field(description="Of the graph that holds it.")


class LiveTask(ApiAnswer):
    """A task that a server works on."""

    run_id: str
    task: str
    attempt: int
    word: str
    since: Instant | None


class ServerAnswer(ServerRow):
    """One task server with its tasks and what it works on."""

    task_names: list[str]
    live: list[LiveTask]


class ServerList(ApiAnswer):
    """Every server, by name."""

    rows: list[ServerRow]
