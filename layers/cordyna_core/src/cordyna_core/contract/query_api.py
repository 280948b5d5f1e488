"""Queries: the requests and answers of cerebro's query function.

Invariant: an answer holds all fields of a view, also those that the published JSON leaves out, in
pages that fit one Lambda response.

A query is one JSON object, `{"ask": "run", "run_id": "..."}`. An answer has the view's own fields
in `head` and its long list (tasks, runs, servers) in `rows`. If the list did not fit, `next` is the
`start` of the next page.
"""

import json
from collections.abc import Callable, Sequence
from typing import Annotated, Any, Final, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter
from pydantic_core import to_jsonable_python

from cordyna_core.contract.base import Part, no_items
from cordyna_core.contract.declaration import ServerDeclared
from cordyna_core.contract.ids import Name, RunId
from cordyna_core.contract.json_values import BoundedJsonObject, JsonObject
from cordyna_core.contract.views.runs import RunCriteria

MAX_ROWS_BYTES: Final = 4 * 1024 * 1024
"""Of the rows in one answer. A synchronous Lambda response holds 6 MB (Lambda quotas)."""

RUNS_SEARCHED_MAX: Final = 10_000
"""The newest runs that a list may come from."""

View = TypeVar("View", bound=BaseModel)


class Query(Part):
    """One query.

    Unknown fields are rejected: silently ignoring an option of a newer client would return a wrong
    answer.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    start: int = Field(0, ge=0, description="The first row wanted.")


class AskRun(Query):
    """A run with all its tasks -> RunView, and the ids of its applied commands (`commands`)."""

    ask: Literal["run"] = "run"
    run_id: RunId


class AskPlan(Query):
    """What an invocation of `task` would run, or why it would be refused -> PlanView.

    With `params`, also why these would be refused.
    """

    ask: Literal["plan"] = "plan"
    task: Name
    params: BoundedJsonObject | None = None


class AskRuns(Query):
    """The newest runs that match -> RunSummary. Only the newest 10,000 are searched."""

    ask: Literal["runs"] = "runs"
    limit: int = Field(20, ge=1, le=RUNS_SEARCHED_MAX)
    criteria: RunCriteria = Field(default_factory=RunCriteria)


class AskStructure(Query):
    """What never changes about a run -> RunStructure."""

    ask: Literal["structure"] = "structure"
    run_id: RunId


class AskFacts(Query):
    """What changes of a run, read at one moment -> RunFacts."""

    ask: Literal["facts"] = "facts"
    run_id: RunId


class AskTaskRun(Query):
    """One task run with what holds it up -> TaskRunFacts."""

    ask: Literal["task_run"] = "task_run"
    run_id: RunId
    task: Name


class AskTasks(Query):
    """Every declared task -> TaskInfo."""

    ask: Literal["tasks"] = "tasks"


class AskServers(Query):
    """Every server -> ServerInfo."""

    ask: Literal["servers"] = "servers"


class AskIncidents(Query):
    """Incidents, the newest first -> IncidentView, with the ids of applied commands (`commands`).

    With `closed`, also those that were closed within the time that runs are kept.
    """

    ask: Literal["incidents"] = "incidents"
    closed: bool = False


class AskRehearsal(Query):
    """What would change if these servers declared themselves now, in this order.

    -> RehearsalView, its `touched` in rows.
    """

    ask: Literal["rehearsal"] = "rehearsal"
    declared: list[ServerDeclared]


class AskCerebro(Query):
    """Which cerebro answers -> CerebroInfo."""

    ask: Literal["cerebro"] = "cerebro"


AnyQuery = Annotated[
    AskRun
    | AskStructure
    | AskFacts
    | AskTaskRun
    | AskPlan
    | AskRuns
    | AskTasks
    | AskServers
    | AskIncidents
    | AskRehearsal
    | AskCerebro,
    Field(discriminator="ask"),
]
QUERY: Final[TypeAdapter[AnyQuery]] = TypeAdapter(AnyQuery)


class CerebroInfo(Part):
    """The cerebro that answers."""

    version: str
    contract: str
    generation: int
    now: float = Field(description="Its clock, UTC seconds.")


class Missing(Part):
    """The answer when nothing has that name."""

    what: str
    why: str = ""
    next: str = ""


class Answer(Part):
    """One page of an answer."""

    head: JsonObject = Field(default_factory=dict)
    rows: list[JsonObject] = Field(default_factory=no_items)
    next: int | None = None
    missing: Missing | None = None


def full_json(view: BaseModel, *, without: str | None = None) -> JsonObject:
    """Return a view as JSON with all its fields, also those that the published JSON excludes."""
    return {name: _plain(value) for name, value in vars(view).items() if name != without}


def _plain(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return full_json(value)
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return to_jsonable_python(value)


def answer_page(
    head: JsonObject, views: Sequence[BaseModel], start: int, *, limit: int = MAX_ROWS_BYTES
) -> Answer:
    """Return the page from `start` on: as many views as fit into `limit` bytes, at least one."""
    rows: list[JsonObject] = []
    size = 0
    for view in views[start:]:
        row = full_json(view)
        size += len(json.dumps(row))
        if rows and size > limit:
            return Answer(head=head, rows=rows, next=start + len(rows))
        rows.append(row)
    return Answer(head=head, rows=rows)


def collect_pages(ask: Callable[[int], Answer]) -> Answer:
    """Return the whole answer: call `ask(start)` for every page."""
    answer = ask(0)
    rows = list(answer.rows)
    while answer.next is not None:
        answer = ask(answer.next)
        rows += answer.rows
    return answer.model_copy(update={"rows": rows})
