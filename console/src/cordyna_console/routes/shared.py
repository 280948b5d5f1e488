"""Shared: what every route is given, and the types of its parameters."""

from datetime import UTC, datetime
from typing import Annotated, Any, Final, Literal

from fastapi import Depends, Path, Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from pydantic import AfterValidator

from cordyna_cli.moments import moment_of
from cordyna_cli.run_ids import find_run_id
from cordyna_console.console import Console
from cordyna_console.live import LiveRuns
from cordyna_core.contract.ids import NAME_PATTERN
from cordyna_core.contract.time_zones import is_time_zone

Permission = Literal["look", "invoke", "operate"]
PERMISSION: Final = "x-cordyna-permission"
INVOKE: Final[dict[str, Any]] = {PERMISSION: "invoke"}
OPERATE: Final[dict[str, Any]] = {PERMISSION: "operate"}
"""`openapi_extra` of a route; a route without it needs only `look`."""


def permission_of(route: APIRoute) -> Permission:
    """What a person needs for a route."""
    permission: Permission = (route.openapi_extra or {}).get(PERMISSION, "look")
    return permission


def console_of(request: Request) -> Console:
    """The console of the application, or of the person who asks where several share it."""
    console: Console = getattr(request.state, "console", None) or request.app.state.console
    return console


def live_runs_of(request: Request) -> LiveRuns:
    """The runs that are followed."""
    live: LiveRuns = request.app.state.live_runs
    return live


def only_known(request: Request) -> None:
    """Refuse query words that the route does not have. Raises RequestValidationError."""
    route = request.scope["route"]
    known = {parameter.alias for parameter in route.dependant.query_params}
    for dependant in route.dependant.dependencies:
        known |= {parameter.alias for parameter in dependant.query_params}
    unknown = sorted(set(request.query_params) - known)
    if unknown:
        raise RequestValidationError(
            [
                {"loc": ("query", word), "msg": "unknown query word", "type": "extra_forbidden"}
                for word in unknown
            ]
        )


_SOME_TIME: Final = datetime(2026, 1, 1, tzinfo=UTC)

TheConsole = Annotated[Console, Depends(console_of)]
Live = Annotated[LiveRuns, Depends(live_runs_of)]


def run_id_of(
    console: TheConsole,
    run_id: Annotated[
        str,
        Path(pattern="^[0-9A-Za-z]{1,26}$", description="An id, or the beginning of one run's id"),
    ],
) -> str:
    """The id of the run that is meant, as `dyna` takes it. Raises NotFound, UserError."""
    return find_run_id(console.engine, run_id)


def _require_moment(text: str) -> str:
    # Read again by who uses it, who knows what time it is. Raises ValueError.
    moment_of(text, _SOME_TIME)
    return text


def _require_zone(name: str) -> str:
    if not is_time_zone(name):
        raise ValueError("unknown time zone")
    return name


RunIdPath = Annotated[str, Depends(run_id_of)]
MomentQuery = Annotated[
    str | None,
    AfterValidator(lambda text: None if text is None else _require_moment(text)),
    Query(max_length=64, description="A span back from now (`24h`, `7d`), a date, or a time"),
]
NamePath = Annotated[str, Path(pattern=NAME_PATTERN)]
NameQuery = Annotated[str | None, Query(pattern=NAME_PATTERN)]
ZoneQuery = Annotated[
    str,
    AfterValidator(_require_zone),
    Query(max_length=64, description="A name of the IANA time zone database"),
]
Text = Annotated[str | None, Query(max_length=500)]
Cursor = Annotated[str | None, Query(max_length=64)]

NUMBER_MAX: Final = 2**53 - 1
"""What numbers of events and lines do not exceed: integers up to here are exact in a browser."""

After = Annotated[
    int, Query(ge=0, le=NUMBER_MAX, description="Number of the last row of the page before")
]
