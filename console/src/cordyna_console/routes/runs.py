"""Routes of runs and of what is inside of one."""

from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import Response, StreamingResponse

from cordyna_console.answers import care, passed, runs
from cordyna_console.live import READ_EVERY_S, stream
from cordyna_console.models import (
    Applied,
    CommandRequest,
    CostAnswer,
    EventList,
    FactsAnswer,
    InvokeAnswer,
    InvokeRequest,
    LogPage,
    RetryRequest,
    RunHead,
    RunList,
    TaskRunAnswer,
)
from cordyna_console.routes.shared import (
    INVOKE,
    NUMBER_MAX,
    After,
    Cursor,
    Live,
    MomentQuery,
    NamePath,
    NameQuery,
    RunIdPath,
    Text,
    TheConsole,
)
from cordyna_console.run_columns import StructureAnswer
from cordyna_core.contract.ids import RUN_ID_PATTERN
from cordyna_core.contract.views.replay import ReplayView

router = APIRouter(tags=["runs"])
LIST_EVERY_S: Final = 1.0
LIST_EVERY_S_ON_AWS: Final = 5.0
SSE: Final[dict[int | str, dict[str, Any]]] = {
    200: {"content": {"text/event-stream": {}}, "description": "Changed rows."}
}


def run_filter(
    *,
    task: NameQuery = None,
    state: Annotated[runs.RunListState | None, Query()] = None,
    since: MomentQuery = None,
    until: MomentQuery = None,
    label: Annotated[str | None, Query(max_length=500, description="`name=value`")] = None,
    q: Annotated[
        str | None, Query(max_length=200, description="Part of an id, a task, a label")
    ] = None,
    before: Annotated[
        str | None, Query(pattern=RUN_ID_PATTERN, description="Cursor: `next` of the page before")
    ] = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
) -> runs.RunFilter:
    """The query words of a list of runs."""
    return runs.RunFilter(
        task=task,
        state=state,
        since=since,
        until=until,
        label=label,
        q=q,
        before=before,
        limit=limit,
    )


Filter = Annotated[runs.RunFilter, Depends(run_filter)]


@router.get("/runs")
def list_runs(console: TheConsole, wanted: Filter) -> RunList:
    """The newest runs that match."""
    return runs.list_runs(console, wanted)


@router.get("/runs/live", response_class=StreamingResponse, responses=SSE)
def list_runs_live(request: Request, console: TheConsole, wanted: Filter) -> StreamingResponse:
    """The first page of the list, whenever it changed."""

    def poll(cursor: str | None) -> tuple[str, str | None]:
        text = runs.list_runs(console, wanted).model_dump_json()
        tag = runs.tag_of(text)
        return tag, None if tag == cursor else text

    every_s = LIST_EVERY_S if console.has_cheap_events else LIST_EVERY_S_ON_AWS
    return stream(request, poll, every_s=every_s, after=None)


@router.post("/runs", status_code=201, openapi_extra=INVOKE)
def invoke(console: TheConsole, body: InvokeRequest) -> InvokeAnswer:
    """Ask for a task."""
    return runs.invoke(console, body)


@router.get("/runs/{run_id}")
def run(live: Live, run_id: RunIdPath) -> RunHead:
    """One run without its tasks."""
    return live.head(run_id)


@router.get("/runs/{run_id}/structure", response_model=StructureAnswer)
def structure(console: TheConsole, run_id: RunIdPath) -> Response:
    """What never changes about a run."""
    text = StructureAnswer.of(console.engine.structure(run_id)).model_dump_json()
    headers = {"Cache-Control": "private, max-age=31536000, immutable"}
    return Response(text, media_type="application/json", headers=headers)


@router.get("/runs/{run_id}/facts", response_model=FactsAnswer)
def facts(live: Live, run_id: RunIdPath, since: Cursor = None) -> Response:
    """The rows that changed since a cursor, with the reason of the same moment."""
    # The text that followers are sent: ten thousand rows are not validated and written again.
    return Response(live.since(run_id, since).text, media_type="application/json")


@router.get("/runs/{run_id}/live", response_class=StreamingResponse, responses=SSE)
def facts_live(
    request: Request, live: Live, run_id: RunIdPath, after: Cursor = None
) -> StreamingResponse:
    """Changed rows as they come; `Last-Event-ID` continues where a connection broke."""
    live.since(run_id, after)

    def poll(cursor: str | None) -> tuple[str, str | None]:
        changes = live.since(run_id, cursor)
        return changes.cursor, None if changes.cursor == cursor else changes.text

    return stream(request, poll, every_s=READ_EVERY_S, after=after)


@router.get("/runs/{run_id}/tasks/{task}")
def task_run(console: TheConsole, run_id: RunIdPath, task: NamePath) -> TaskRunAnswer:
    """One task run with everything that is known of it."""
    return runs.task_run(console, run_id, task)


@router.get("/runs/{run_id}/events")
def events(
    console: TheConsole,
    run_id: RunIdPath,
    after: After = 0,
    task: NameQuery = None,
    limit: Annotated[int, Query(ge=1, le=passed.EVENT_LIMIT_MAX)] = 200,
) -> EventList:
    """What passed the bus about a run."""
    return passed.event_list(console, run_id, after=after, task=task, limit=limit)


@router.get("/runs/{run_id}/logs")
def logs(
    console: TheConsole,
    run_id: RunIdPath,
    task: NameQuery = None,
    attempt: Annotated[int | None, Query(ge=1, le=NUMBER_MAX)] = None,
    q: Text = None,
    after: After = 0,
    limit: Annotated[int, Query(ge=1, le=passed.LOG_LIMIT_MAX)] = 500,
) -> LogPage:
    """What the tasks of a run printed and logged; `q` searches all lines."""
    return passed.log_page(
        console, run_id, task=task, attempt=attempt, q=q, after=after, limit=limit
    )


@router.get("/runs/{run_id}/logs/text", response_class=Response)
def logs_text(console: TheConsole, run_id: RunIdPath, task: NameQuery = None) -> Response:
    """The whole log as a text file."""
    return Response(
        passed.log_text(console, run_id, task),
        media_type="text/plain; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{run_id}.log"'},
    )


@router.get("/runs/{run_id}/replay")
def replay(console: TheConsole, run_id: RunIdPath) -> ReplayView:
    """What today's cerebro would decide otherwise."""
    return console.engine.replay(run_id)


@router.get("/runs/{run_id}/cost")
def cost(console: TheConsole, run_id: RunIdPath) -> CostAnswer:
    """What orchestrating the run would cost on AWS."""
    return care.cost(console, run_id)


@router.post("/runs/{run_id}/cancel", status_code=202, openapi_extra=INVOKE)
def cancel(console: TheConsole, live: Live, run_id: RunIdPath, body: CommandRequest) -> Applied:
    """End a run now."""
    runs.cancel(console, run_id, body)
    live.expire(run_id)
    return Applied()


@router.post("/runs/{run_id}/retry", status_code=202, openapi_extra=INVOKE)
def retry(console: TheConsole, live: Live, run_id: RunIdPath, body: RetryRequest) -> Applied:
    """Give what failed a new attempt."""
    runs.retry(console, run_id, body)
    live.expire(run_id)
    return Applied()
