"""App: the console as one ASGI application: guard, page, API.

Invariant: every address below /api needs the cookie or the token; everything else is a file of the
page, which holds no data.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus
from typing import Final

from fastapi import APIRouter, Depends, FastAPI, Query, Request
from fastapi.responses import JSONResponse, RedirectResponse, Response
from starlette.exceptions import HTTPException
from starlette.middleware.gzip import GZipMiddleware

from cordyna_console import problems
from cordyna_console.answers import runs as run_answers
from cordyna_console.assets import INDEX, PageAsset, content_security_policy, load_assets
from cordyna_console.console import Console
from cordyna_console.description import describe
from cordyna_console.guard import ConsoleAccess, refusal
from cordyna_console.live import LiveRuns
from cordyna_console.middleware import ConditionalMiddleware, Examine, GuardMiddleware
from cordyna_console.openings import Openings
from cordyna_console.routes import care, catalog, incidents, runs
from cordyna_console.routes.shared import only_known

API_PREFIX: Final = "/api/v1"
ROUTERS: Final[Sequence[APIRouter]] = (
    runs.router,
    catalog.router,
    incidents.router,
    care.router,
)

PAGES: Final = frozenset(
    {
        "", "closed", "compare", "crons", "dead-letters", "doctor", "events", "graph", "incidents",
        "invoke", "rehearse", "runs", "servers", "signed-in", "tasks",
    }
)  # fmt: skip
"""First parts of addresses that the page shows (`ROUTES` in page/app/main.js); a test compares."""

GZIP_FROM_BYTES: Final = 1024
GZIP_LEVEL: Final = 5


def build_app(
    console: Console,
    access: Callable[[], ConsoleAccess],
    *,
    openings: Openings | None = None,
    stopping: Callable[[], bool] = lambda: False,
) -> FastAPI:
    """Return the application.

    `access` is asked for each request, because the port is known late.
    """
    assets = load_assets()
    app = application(console, ROUTERS)
    app.state.openings = openings or Openings(time.monotonic)
    app.state.stopping = stopping
    _add_opening(app, access)
    add_page(app, assets)
    policy = content_security_policy(assets[INDEX].content)
    protect(app, lambda head: refusal(head, access()), policy)
    return app


def application(console: Console, routers: Sequence[APIRouter]) -> FastAPI:
    """Return the API of these routes, without a page and without protection."""
    app = FastAPI(
        title="cordyna console",
        version="1",
        summary="Runs, tasks and servers of a cerebro.",
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        separate_input_output_schemas=False,
    )
    app.state.console = console
    app.state.live_runs = LiveRuns(
        lambda run_id, since: run_answers.reading(
            console, console.engine.facts(run_id, since=since)
        )
    )
    problems.install(app)
    api = APIRouter(
        prefix=API_PREFIX, responses=problems.RESPONSES, dependencies=[Depends(only_known)]
    )
    for router in routers:
        api.include_router(router)

    @api.get("/openapi.json", include_in_schema=False)
    def openapi() -> JSONResponse:
        return JSONResponse(describe(app))

    app.include_router(api)
    return app


def protect(app: FastAPI, examine: Examine, policy: str) -> None:
    """Put the guard in front of everything, and conditional and compressed answers behind it."""
    app.add_middleware(ConditionalMiddleware)
    app.add_middleware(GZipMiddleware, minimum_size=GZIP_FROM_BYTES, compresslevel=GZIP_LEVEL)
    # Added last, so it is the first that a request meets.
    app.add_middleware(GuardMiddleware, examine=examine, policy=policy)


def _add_opening(app: FastAPI, access: Callable[[], ConsoleAccess]) -> None:
    @app.get("/open", include_in_schema=False)
    def open_console(
        request: Request, code: str = Query(max_length=100), to: str = Query("/", max_length=2000)
    ) -> Response:
        if not request.app.state.openings.redeem(code):
            return RedirectResponse("/closed", 303)
        response = RedirectResponse(_own_address(to), 303)
        response.set_cookie(
            access().cookie_name,
            access().cookie,
            httponly=True,
            samesite="strict",
            path="/",
            max_age=30 * 86400,
        )
        return response


def add_page(app: FastAPI, assets: Mapping[str, PageAsset]) -> None:
    """Serve the files of the page, and its index for every address outside the API."""

    @app.api_route("/{path:path}", methods=["GET", "HEAD"], include_in_schema=False)
    async def page(request: Request, path: str) -> Response:
        # Not in a thread of its own: the content is in memory, and a page asks for thirty files
        # while the engine of the same process is at work.
        asset, status = assets.get(path), HTTPStatus.OK
        if asset is None:
            is_page = path.split("/", maxsplit=1)[0] in PAGES
            # A person who mistypes an address is shown the page; a program is answered as by the
            # API.
            if not is_page and "text/html" not in request.headers.get("accept", ""):
                raise HTTPException(404)
            status, asset = HTTPStatus.OK if is_page else HTTPStatus.NOT_FOUND, assets[INDEX]
        headers = {"ETag": asset.tag, "Cache-Control": "no-cache"}
        if status == HTTPStatus.OK and asset.tag in request.headers.get("if-none-match", ""):
            return Response(status_code=304, headers=headers)
        return Response(asset.content, status, media_type=asset.media_type, headers=headers)


def _own_address(to: str) -> str:
    """Return an address of this console; anything else is its first page.

    Browsers take a backslash for a slash, and skip tabs and line breaks.
    """
    is_own = to.startswith("/") and not to.startswith("//") and "\\" not in to
    return to if is_own and to.isprintable() else "/"
