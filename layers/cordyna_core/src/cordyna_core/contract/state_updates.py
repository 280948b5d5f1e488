"""State updates: messages in the past tense, from whoever knows.

Law: a state update is a fact. Hearing it twice, late or out of order changes nothing that was already known better.
"""

from typing import Any, Literal

from pydantic import Field

from cordyna_core.contract.base import ErrorDescription, Message, Problem, RootCause, State
from cordyna_core.contract.ids import Name, RunId

ServerState = Literal["ready", "draining", "stopped"]
RunState = Literal["running", "failing", "completed", "error"]


class ServerStateChanged(Message):
    """From a task server: how it is."""

    server: Name
    state: ServerState


class TaskStateChanged(Message):
    """From a task server, or from cerebro for what only cerebro can know (a clock, a cancellation, a wait for a retry)."""

    server: Name
    run_id: RunId
    task: Name
    attempt: int = Field(ge=1)
    state: State
    output: Any = None
    reason: str | None = Field(None, max_length=64)
    error: ErrorDescription | None = None
    progress: float | None = Field(None, ge=0, le=1)
    message: str | None = Field(None, max_length=1024)


class RunStateChanged(Message):
    """From cerebro: how a whole run is."""

    run_id: RunId
    task: Name
    state: RunState
    root_causes: list[RootCause] = Field(default_factory=list)
    blocked: int = Field(0, ge=0, description="How many tasks wait for something that failed.")


class DeclarationAccepted(Message):
    """From cerebro: the graph now holds this server's declaration."""

    server: Name
    generation: int


class DeclarationRejected(Message):
    """From cerebro: the declaration was refused whole; the last good one stands."""

    server: str
    problems: list[Problem]


class InvocationRejected(Message):
    """From cerebro: the command was refused. A refusal is never silent."""

    event_id: str
    task: str
    problems: list[Problem]
