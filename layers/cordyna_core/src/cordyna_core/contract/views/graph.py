"""Views of the graph: the declared tasks, the servers, and what an invocation would run.

Invariant: a view is derived when it is asked for. The JSON of PlanView is a published format.
"""

from datetime import date, datetime
from typing import Literal

from pydantic import Field

from cordyna_core.contract.base import Part, Problem, no_items
from cordyna_core.contract.declaration import (
    DEFAULT_ACK_TIMEOUT_S,
    DEFAULT_RETRY_BACKOFF,
    DEFAULT_RETRY_DELAY_S,
    DEFAULT_RETRY_MAX_DELAY_S,
    DEFAULT_RUN_TIMEOUT_S,
    DEFAULT_START_TIMEOUT_S,
)
from cordyna_core.contract.ids import Name
from cordyna_core.contract.json_values import JsonObject
from cordyna_core.contract.notices import Notice


class PlannedTaskView(Part):
    """One task of a plan.

    `level` is the length of the longest path to it from a task without upstreams.
    """

    task: Name
    server: str
    upstream: list[str]
    level: int


class PlanView(Part):
    """What an invocation would run, in topological order, or why it would be refused."""

    task: str
    tasks: list[PlannedTaskView] = Field(default_factory=no_items)
    problems: list[Problem] = Field(default_factory=no_items)


class TaskInfo(Part):
    """One declared task."""

    task: Name
    server: Name
    upstream: list[str]
    unresolved: list[str] = Field(default_factory=no_items)
    cron: str | None = None
    timezone: str = "UTC"
    next_at: datetime | None = None
    owner: str | None = None
    description: str | None = None
    params_schema: JsonObject | None = None
    within_s: dict[str, int] = Field(
        default_factory=dict, description="Of upstreams whose result may be reused."
    )
    overlap: Literal["skip", "allow"] = "skip"
    retries: int = 0
    ack_timeout_s: int = DEFAULT_ACK_TIMEOUT_S
    start_timeout_s: int = DEFAULT_START_TIMEOUT_S
    run_timeout_s: int = DEFAULT_RUN_TIMEOUT_S
    retry_delay_s: int = DEFAULT_RETRY_DELAY_S
    retry_backoff: float = DEFAULT_RETRY_BACKOFF
    retry_max_delay_s: int = DEFAULT_RETRY_MAX_DELAY_S
    retry_jitter: bool = True
    consumers: list[str] | None = None
    invokers: list[str] | None = None
    deprecated: str | None = None
    until: date | None = None
    due: str | None = None
    output_schema: JsonObject | None = None
    expects: dict[str, JsonObject] = Field(
        default_factory=dict, description="Of upstreams whose output is to fit a JSON Schema."
    )
    strict: list[str] = Field(
        default_factory=no_items, description="Those of `expects` whose break is rejected."
    )
    notices: list[Notice] = Field(
        default_factory=no_items, description="Of its edges, as a user and as an upstream."
    )


class ServerInfo(Part):
    """One task server as cerebro knows it."""

    server: Name
    state: Literal[
        "ready",
        "draining",
        "stopped",
        "unresponsive",
        "unknown",
        "not_loaded",
        "rejected",
        "undeclared",
    ]
    tasks: int
    revision: int
    last_seen_at: datetime | None = None
    # Of an embedded engine only: why it did not load, and how busy its workers are.
    problem: str | None = None
    concurrency: int | None = None
    running: int | None = None
    waiting: int | None = None
    mode: str | None = None
    mode_reason: str | None = None
