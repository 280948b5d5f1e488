"""Queries: what is asked of cerebro's query function, and how it answers.

Law: an answer says all that a view holds, also what the published JSON leaves out, in pieces that fit one Lambda response.

A query is one JSON object, `{"ask": "run", "run_id": "..."}`. An answer has the view's own fields in `head` and its long list
(tasks, runs, servers) in `rows`; `next` is where to go on asking, with `start`, when the list did not fit.
"""

import json
from collections.abc import Callable, Sequence
from typing import Annotated, Any, Final, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter
from pydantic_core import to_jsonable_python

from cordyna_core.contract.base import JsonObject, Part
from cordyna_core.contract.declaration import ServerDeclared
from cordyna_core.contract.ids import Name, RunId

MAX_ROWS_BYTES: Final = 4 * 1024 * 1024
"""Of rows in one answer. A synchronous Lambda response holds 6 MB (Lambda quotas)."""

View = TypeVar("View", bound=BaseModel)


class Query(Part):
    """One question. Strict: a word that the function does not know is a newer caller's, who must not think it was heeded."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    start: int = Field(0, ge=0, description="The first row wanted.")


class AskRun(Query):
    """A run with all its tasks -> RunView, and the ids of the commands that were applied to it (`commands`)."""

    ask: Literal["run"] = "run"
    run_id: RunId


class AskPlan(Query):
    """What an invocation of `task` would run, or why it would be refused; with `params`, also why those would be -> PlanView."""

    ask: Literal["plan"] = "plan"
    task: Name
    params: JsonObject | None = None


class AskRuns(Query):
    """The newest runs -> RunSummary."""

    ask: Literal["runs"] = "runs"
    limit: int = Field(20, ge=1, le=10_000)


class AskTasks(Query):
    """Every declared task -> TaskInfo."""

    ask: Literal["tasks"] = "tasks"


class AskServers(Query):
    """Every server -> ServerInfo."""

    ask: Literal["servers"] = "servers"


class AskRehearsal(Query):
    """What would change if these servers declared themselves now, in this order -> RehearsalView, its `touched` in rows."""

    ask: Literal["rehearsal"] = "rehearsal"
    declared: list[ServerDeclared]


class AskCerebro(Query):
    """What answers here -> CerebroInfo."""

    ask: Literal["cerebro"] = "cerebro"


AnyQuery = Annotated[
    AskRun | AskPlan | AskRuns | AskTasks | AskServers | AskRehearsal | AskCerebro,
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
    """Nothing there has that name."""

    what: str
    why: str = ""
    next: str = ""


class Answer(Part):
    """What the query function answers."""

    head: JsonObject = Field(default_factory=dict)
    rows: list[JsonObject] = Field(default_factory=list)
    next: int | None = None
    missing: Missing | None = None


def whole(view: BaseModel, *, without: str | None = None) -> JsonObject:
    """A view as JSON with all its fields, those excluded from the published JSON, too."""
    return {name: _plain(value) for name, value in vars(view).items() if name != without}


def _plain(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return whole(value)
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return to_jsonable_python(value)


def answer_of(
    head: JsonObject, views: Sequence[BaseModel], start: int, *, limit: int = MAX_ROWS_BYTES
) -> Answer:
    """As many of `views` from `start` on as fit into `limit` bytes; at least one, so that whoever goes on asking gets on."""
    rows: list[JsonObject] = []
    size = 0
    for view in views[start:]:
        row = whole(view)
        size += len(json.dumps(row))
        if rows and size > limit:
            return Answer(head=head, rows=rows, next=start + len(rows))
        rows.append(row)
    return Answer(head=head, rows=rows)


def collected(ask: Callable[[int], Answer]) -> Answer:
    """The whole answer: `ask(start)` again and again until nothing is left."""
    answer = ask(0)
    rows = list(answer.rows)
    while answer.next is not None:
        answer = ask(answer.next)
        rows += answer.rows
    return answer.model_copy(update={"rows": rows})
