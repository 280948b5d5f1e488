"""Routes of incidents."""

from typing import Annotated

from fastapi import APIRouter, Path, Query, Response

from cordyna_console.answers import incidents as answers
from cordyna_console.incident_models import IncidentList, SnoozeRequest
from cordyna_console.routes.shared import OPERATE, TheConsole
from cordyna_core.contract.ids import RUN_ID_PATTERN
from cordyna_core.contract.limits import MAX_OWNER_CHARS
from cordyna_core.contract.views.incidents import IncidentView

router = APIRouter(tags=["incidents"])
IncidentPath = Annotated[str, Path(pattern=RUN_ID_PATTERN)]


@router.get("/incidents")
def incident_list(
    console: TheConsole,
    owner: Annotated[str | None, Query(max_length=MAX_OWNER_CHARS)] = None,
    *,
    closed: bool = False,
) -> IncidentList:
    """What needs an owner, the newest first; with `closed`, also what is over."""
    return answers.incident_list(console, owner, closed=closed)


@router.get("/incidents/{incident}")
def one_incident(console: TheConsole, incident: IncidentPath) -> IncidentView:
    """One incident, with what waits for it."""
    return answers.incident(console, incident)


@router.post(
    "/incidents/{incident}/snooze", status_code=204, response_class=Response, openapi_extra=OPERATE
)
def snooze(console: TheConsole, incident: IncidentPath, body: SnoozeRequest) -> Response:
    """Publish nothing more about it for some time, but its end."""
    answers.snooze(console, incident, body)
    return Response(status_code=204)
