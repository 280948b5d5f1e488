"""Routes of crons, dead letters, the doctor, the bus, and who is asking."""

import json
import re
from datetime import date
from typing import Annotated, Final

from fastapi import APIRouter, Path, Query, Request, Response
from starlette.responses import StreamingResponse

from cordyna_console.answers import care, cron_week, me, passed
from cordyna_console.calendar_models import CronWeek
from cordyna_console.care_models import (
    CronList,
    DoctorAnswer,
    Moved,
    OpeningCode,
    PurgeRequest,
    QueueList,
    RedriveRequest,
)
from cordyna_console.live import stream
from cordyna_console.models import ApiRequest as Nothing
from cordyna_console.models import EventList, Me
from cordyna_console.routes.shared import OPERATE, After, NamePath, TheConsole, ZoneQuery

router = APIRouter(tags=["care"])
FOLLOW_EVERY_S = 0.5
FOLLOW_EVERY_S_ON_AWS = 15.0
"""Each look searches the log of the bus, and is charged."""
NEWEST = 400
EVENT_NUMBER: Final = re.compile("[0-9]{1,15}")
DAY_MIN, DAY_MAX = date(1970, 1, 5), date(2999, 12, 30)
QueuePath = Annotated[str, Path(max_length=200)]


@router.get("/me")
def who(console: TheConsole) -> Me:
    """Which cerebro is shown, and what this person may do."""
    return me.me(console)


@router.post("/openings", status_code=201)
def opening(request: Request, body: Nothing) -> OpeningCode:
    """A code that opens the console in a browser, once."""
    del body
    return OpeningCode(code=request.app.state.openings.issue())


@router.get("/crons")
def crons(console: TheConsole) -> CronList:
    """Every cron with its next ticks and its last ones."""
    return care.crons(console)


@router.get("/crons/week")
def crons_week(
    console: TheConsole,
    zone: ZoneQuery = "UTC",
    day: Annotated[
        date | None, Query(ge=DAY_MIN, le=DAY_MAX, description="A day of the week; else today")
    ] = None,
) -> CronWeek:
    """The crons of one week: what became of each tick, and which are to come."""
    return cron_week.cron_week(console, zone, day)


@router.post("/crons/{task}/pause", status_code=204, response_class=Response, openapi_extra=OPERATE)
def pause(console: TheConsole, task: NamePath, body: Nothing) -> Response:
    """Let a cron rest."""
    del body
    care.pause(console, task, on=True)
    return Response(status_code=204)


@router.post(
    "/crons/{task}/resume", status_code=204, response_class=Response, openapi_extra=OPERATE
)
def resume(console: TheConsole, task: NamePath, body: Nothing) -> Response:
    """Let a cron fire again."""
    del body
    care.pause(console, task, on=False)
    return Response(status_code=204)


@router.get("/dead-letters", openapi_extra=OPERATE)
def dead_letters(console: TheConsole) -> QueueList:
    """Every dead-letter queue that holds something."""
    return care.dead_letters(console)


@router.post("/dead-letters/{queue}/redrive", openapi_extra=OPERATE)
def redrive(console: TheConsole, queue: QueuePath, body: RedriveRequest) -> Moved:
    """Put letters back into the queue that they came from."""
    return care.redrive(console, queue, body)


@router.post("/dead-letters/{queue}/purge", openapi_extra=OPERATE)
def purge(console: TheConsole, queue: QueuePath, body: PurgeRequest) -> Moved:
    """Delete every letter of a queue."""
    return care.purge(console, queue, body)


@router.get("/doctor")
def doctor(console: TheConsole) -> DoctorAnswer:
    """Everything that has to be well before a task can run."""
    return care.doctor(console)


@router.get("/events")
def events(
    console: TheConsole,
    after: After = 0,
    limit: Annotated[int, Query(ge=1, le=passed.EVENT_LIMIT_MAX)] = 200,
) -> EventList:
    """Everything that passed the bus."""
    return passed.event_list(console, None, after=after, limit=limit)


@router.get("/events/live", response_class=StreamingResponse)
def events_live(
    request: Request, console: TheConsole, after: After | None = None
) -> StreamingResponse:
    """Everything that passes the bus, as it passes; without `after`, the newest ones first."""

    def poll(cursor: str | None) -> tuple[str, str | None]:
        if cursor is None or not EVENT_NUMBER.fullmatch(cursor):
            # Also a cursor that is not a number of an event: it may be of another home.
            rows, since = passed.newest_events(console, NEWEST), 0
        else:
            since = int(cursor)
            rows = passed.event_list(console, None, after=since, limit=NEWEST).rows
        if not rows:
            return str(since), None
        return str(rows[-1].seq), json.dumps(
            {"rows": [row.model_dump(mode="json") for row in rows]}
        )

    return stream(
        request,
        poll,
        every_s=FOLLOW_EVERY_S if console.has_cheap_events else FOLLOW_EVERY_S_ON_AWS,
        after=None if after is None else str(after),
    )
