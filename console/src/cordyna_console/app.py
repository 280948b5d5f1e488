"""App: the console as one ASGI application: guard, page, API.

Invariant: every address below /api needs the cookie or the token; everything else is a file of the
page, which holds no data.
"""

import time
from collections.abc import Callable

from fastapi import APIRouter, Depends, FastAPI, Query, Request
from fastapi.responses import JSONResponse, RedirectResponse, Response
from starlette.exceptions import HTTPException
from starlette.middleware.gzip import GZipMiddleware

from cordyna_console import problems
from cordyna_console.answers import runs as run_answers
from cordyna_console.assets import INDEX, PageAsset, content_security_policy, load_assets
from cordyna_console.console import Console
from cordyna_console.description import describe
from cordyna_console.guard import ConsoleAccess
from cordyna_console.live import LiveRuns
from cordyna_console.middleware import ConditionalMiddleware, GuardMiddleware
from cordyna_console.openings import Openings
from cordyna_console.routes import care, catalog, runs
from cordyna_console.routes.shared import only_known

API_PREFIX = "/api/v1"
GZIP_FROM_BYTES = 1024
GZIP_LEVEL = 5


def build_app(
    console: Console,
    access: Callable[[], ConsoleAccess],
    *,
    openings: Openings | None = None,
    stopping: Callable[[], bool] = lambda: False,
) -> FastAPI:
    """The application. `access` is asked for each request, because the port is known late."""
    assets = load_assets()
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
    app.state.openings = openings or Openings(time.monotonic)
    app.state.stopping = stopping
    app.state.live_runs = LiveRuns(
        lambda run_id, since: run_answers.facts_answer(
            console, console.engine.facts(run_id, since=since)
        )
    )
    problems.install(app)
    app.include_router(_api(app))
    _add_page(app, assets, access)
    app.add_middleware(ConditionalMiddleware)
    app.add_middleware(GZipMiddleware, minimum_size=GZIP_FROM_BYTES, compresslevel=GZIP_LEVEL)
    # Added last, so it is the first that a request meets.
    app.add_middleware(
        GuardMiddleware, access=access, policy=content_security_policy(assets[INDEX].content)
    )
    return app


def _api(app: FastAPI) -> APIRouter:
    api = APIRouter(
        prefix=API_PREFIX, responses=problems.RESPONSES, dependencies=[Depends(only_known)]
    )
    for router in (runs.router, catalog.router, care.router):
        api.include_router(router)

    @api.get("/openapi.json", include_in_schema=False)
    def openapi() -> JSONResponse:
        return JSONResponse(describe(app))

    return api


def _add_page(
    app: FastAPI, assets: dict[str, PageAsset], access: Callable[[], ConsoleAccess]
) -> None:
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

    @app.api_route("/{path:path}", methods=["GET", "HEAD"], include_in_schema=False)
    def page(request: Request, path: str) -> Response:
        if path.startswith("api/"):
            raise HTTPException(404)
        asset = assets.get(path)
        if asset is None:
            if "." in path.rsplit("/", 1)[-1] and path.split("/", maxsplit=1)[0] in (
                "app",
                "vendor",
                "style",
            ):
                raise HTTPException(404)
            asset = assets[INDEX]
        headers = {"ETag": asset.tag, "Cache-Control": "no-cache"}
        if asset.tag in request.headers.get("if-none-match", ""):
            return Response(status_code=304, headers=headers)
        return Response(asset.content, media_type=asset.media_type, headers=headers)


def _own_address(to: str) -> str:
    """An address of this console; anything else is its first page."""
    return to if to.startswith("/") and not to.startswith(("//", "/\\")) else "/"
