"""Shared: what every route is given, and the types of its parameters."""

from typing import Annotated, Any, Final, Literal

from fastapi import Depends, Path, Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute

from cordyna_console.console import Console
from cordyna_console.live import LiveRuns
from cordyna_core.contract.ids import NAME_PATTERN, RUN_ID_PATTERN

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


TheConsole = Annotated[Console, Depends(console_of)]
Live = Annotated[LiveRuns, Depends(live_runs_of)]
RunIdPath = Annotated[str, Path(pattern=RUN_ID_PATTERN)]
NamePath = Annotated[str, Path(pattern=NAME_PATTERN)]
NameQuery = Annotated[str | None, Query(pattern=NAME_PATTERN)]
Text = Annotated[str | None, Query(max_length=500)]
Cursor = Annotated[str | None, Query(max_length=64)]
