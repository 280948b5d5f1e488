"""Models: what the JSON API answers and takes, beside the views of the contract.

Invariant: a time is RFC 3339, UTC; in columns it is milliseconds since a moment that the model
names.
"""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from cordyna_console.answer_base import ApiAnswer
from cordyna_console.run_columns import FactRows
from cordyna_core.contract.base import ErrorDescription, Problem, RootCause
from cordyna_core.contract.ids import Name
from cordyna_core.contract.json_values import JsonObject
from cordyna_core.contract.time import Instant

RunState = Literal["running", "failing", "completed", "error"]


class ApiRequest(BaseModel):
    """What the API takes. An unknown field is refused, because ignoring it would mislead."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class ProblemDocument(ApiAnswer):
    """An error, `application/problem+json`."""

    type: str = "about:blank"
    title: str
    status: int
    what: str
    why: str
    next: str
    problems: list[Problem] = Field(default_factory=list)


class CerebroState(ApiAnswer):
    """The cerebro that the console talks to."""

    version: str
    generation: int
    now: Instant = Field(description="Its clock.")


class Permissions(ApiAnswer):
    """What this person may do. Unknown until it was tried."""

    invoke: Literal["yes", "no", "unknown"]
    operate: Literal["yes", "no", "unknown"]


class DriverState(ApiAnswer):
    """Which process drives the runs of a home."""

    drives: bool = Field(description="Whether runs proceed now.")
    sentence: str
    next: str = Field("", description="The command that starts one, where no process does.")


class Me(ApiAnswer):
    """Which cerebro this console shows, and how."""

    engine: str
    where: str
    command: str = Field(description="How `dyna` is called for the same, for example `dyna`.")
    by: str
    version: str
    cerebro: CerebroState
    can: Permissions
    live: Literal["sse", "poll"]
    place: str | None = Field(
        None, description="Account, region and bus on AWS: `where` of an address of the page."
    )
    driver: DriverState | None = Field(None, description="None for a cerebro in the cloud.")


class NextAction(ApiAnswer):
    """What a person does next: as data for a button, and as the command to type."""

    do: str
    command: str
    run: str | None = None
    task: str | None = None
    purpose: str = ""
    params: JsonObject = Field(default_factory=dict, description="Of an invocation.")


class WhyAnswer(ApiAnswer):
    """The one reason why a run or a task is as it is."""

    sentence: str
    beside: list[str] = Field(default_factory=list)
    next: NextAction
    then: NextAction | None = None
    traceback: list[str] = Field(default_factory=list)


class RunRow(ApiAnswer):
    """One run in a list."""

    run_id: str
    task: str
    state: RunState
    cancelled: bool = False
    created_at: Instant | None = None
    ended_at: Instant | None = None
    scheduled_at: Instant | None = None
    server: str | None = None
    owner: str | None = None
    labels: dict[str, str] = Field(default_factory=dict)
    by: str | None = Field(None, description="The client or server that invoked it, by its name.")
    params: JsonObject = Field(default_factory=dict)
    counts: dict[str, int] = Field(default_factory=dict, description="Tasks by their word.")
    root_cause: RootCause | None = None


class RunList(ApiAnswer):
    """A page of runs, the newest first; `next` is the cursor of the page after it."""

    rows: list[RunRow]
    next: str | None = None
    looked_back_to: Instant | None = Field(None, description="The oldest run that was looked at.")


class RunHead(RunRow):
    """One run without its tasks."""

    plan_id: str
    size: int = Field(description="Tasks of the plan.")
    why: WhyAnswer
    root_causes: list[RootCause] = Field(default_factory=list)
    blocked: int = 0


class FactsAnswer(ApiAnswer):
    """What changed of a run since a cursor, read at one moment, with the reason of that moment."""

    cursor: str
    run_id: str
    state: RunState
    cancelled: bool
    created_at: Instant | None
    ended_at: Instant | None = None
    now: Instant
    why: WhyAnswer
    words: list[tuple[str, str | None]] = Field(description="(state, reason) of `columns.word`.")
    columns: FactRows


class TimelineRow(ApiAnswer):
    """One entry of a task run's timeline."""

    state: str
    reason: str | None
    at: Instant
    by: str
    attempt: int


class TaskRunAnswer(ApiAnswer):
    """One task run with everything that is known of it."""

    run_id: str
    task: str
    server: str
    owner: str | None
    state: str
    reason: str | None
    attempt: int
    params: JsonObject
    output: Any
    error: ErrorDescription | None
    timeline: list[TimelineRow]
    upstream: list[str]
    downstream: list[str]
    blocked_by: list[str]
    deadline: Instant | None
    why: WhyAnswer


class EventRow(ApiAnswer):
    """One event, read; `text` is the envelope as it passed."""

    seq: int
    at: Instant | None
    sender: str
    receiver: str
    what: str
    is_command: bool = False
    task: str | None = None
    attempt: int | None = None
    detail: str
    text: str


class EventList(ApiAnswer):
    """Events in the order in which they passed."""

    rows: list[EventRow]
    next: int | None = None


class LogRow(ApiAnswer):
    """One line of output with its number in the whole log."""

    number: int
    task: str
    attempt: int
    at: Instant
    stream: str
    text: str


class LogPage(ApiAnswer):
    """Lines of output. `total` counts all, `matched` those that the search found."""

    rows: list[LogRow]
    next: int | None = None
    total: int
    matched: int


class CostLine(ApiAnswer):
    """One kind of call that the run makes on AWS."""

    what: str
    count: int
    dollars: float


class CostAnswer(ApiAnswer):
    """What orchestrating the run would cost on AWS: an estimate from counted calls."""

    estimate: Literal[True] = True
    tasks: int
    edges: int
    lines: list[CostLine]
    total: float


class InvokeRequest(ApiRequest):
    """Ask for a task. A fresh `key` per form makes a double click one run."""

    task: Name
    params: JsonObject = Field(default_factory=dict)
    key: str | None = Field(None, min_length=1, max_length=256)
    max_age_s: int | None = Field(None, ge=0)
    labels: dict[str, str] = Field(default_factory=dict)


class InvokeAnswer(ApiAnswer):
    """The run that an invocation started, or found."""

    run_id: str


class CommandRequest(ApiRequest):
    """A command about a run; the same `command_id` acts once."""

    command_id: str | None = Field(None, min_length=1, max_length=128)


class RetryRequest(CommandRequest):
    """Give what failed a new attempt."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", validate_by_name=True, validate_by_alias=True
    )

    from_: list[Name] = Field(default_factory=list, alias="from")


class Applied(ApiAnswer):
    """A command that was applied."""

    done: Literal[True] = True
