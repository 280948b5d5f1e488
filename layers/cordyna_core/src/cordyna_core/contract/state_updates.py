"""State updates: messages in the past tense, about what has happened.

Invariant: a state update is a fact. Receiving it twice, late or out of order never replaces a
newer fact (docs/rules.md, rule 1).
"""

from typing import Literal

from pydantic import Field

from cordyna_core.contract.base import (
    ErrorDescription,
    Message,
    Problem,
    RootCause,
    State,
    no_items,
)
from cordyna_core.contract.ids import Name, RunId
from cordyna_core.contract.json_values import BoundedJson, Number, Whole
from cordyna_core.contract.limits import (
    MAX_ATTEMPT,
    MAX_PROGRESS_MESSAGE_CHARS,
    MAX_REASON_CHARS,
)
from cordyna_core.contract.notices import Notice
from cordyna_core.contract.time import Instant

ServerState = Literal["ready", "draining", "stopped"]
RunState = Literal["running", "failing", "completed", "error"]


class ServerStateChanged(Message):
    """From a task server: its own state."""

    server: Name
    state: ServerState


class TaskStateChanged(Message):
    """From a task server: the state of an attempt.

    From cerebro: what it decided itself (a clock ran out, a cancellation, a wait for a retry).
    """

    server: Name
    run_id: RunId
    task: Name
    attempt: Whole = Field(ge=1, le=MAX_ATTEMPT)
    state: State
    output: BoundedJson = None
    reason: str | None = Field(None, max_length=MAX_REASON_CHARS)
    error: ErrorDescription | None = None
    progress: Number | None = Field(None, ge=0, le=1)
    message: str | None = Field(None, max_length=MAX_PROGRESS_MESSAGE_CHARS)
    started_at: Instant | None = Field(
        None,
        description="When the body began; beside `completed` or `error`, if no `started` was sent.",
    )


class RunStateChanged(Message):
    """From cerebro: the state of a whole run."""

    run_id: RunId
    task: Name
    state: RunState
    root_causes: list[RootCause] = Field(default_factory=no_items)
    blocked: Whole = Field(0, ge=0, description="The number of tasks that wait for a failed task.")


class DeclarationAccepted(Message):
    """From cerebro: the graph now holds this server's declaration."""

    server: Name
    generation: Whole
    notices: list[Notice] = Field(
        default_factory=no_items, description="Of the edges from and to this server's tasks."
    )


class DeclarationRejected(Message):
    """From cerebro: the whole declaration was refused; the last accepted one applies.

    `revision`: of the declaration; absent if it could not be read.
    """

    server: str
    revision: Whole | None = None
    problems: list[Problem]


class DeclarationIgnored(Message):
    """From cerebro: a newer revision of this server is accepted, and it has other tasks."""

    server: Name
    revision: Whole = Field(ge=0)
    accepted_revision: Whole = Field(ge=0)
    generation: Whole


class ServerRemoved(Message):
    """From cerebro: the graph holds no declaration of this server."""

    server: Name
    generation: Whole


class InvocationRejected(Message):
    """From cerebro: the command was refused, and why."""

    event_id: str
    task: str
    problems: list[Problem]
    run_id: RunId | None = Field(None, description="The run whose task sent the command.")
    by_task: Name | None = Field(None, description="The task that sent the command.")
