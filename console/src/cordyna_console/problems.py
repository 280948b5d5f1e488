"""Problems: every error as `application/problem+json`, in the words of `UserError`.

Invariant: no error of a route leaves in another form, also one that is a bug.
"""

from collections.abc import Mapping
from typing import Any, Final

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from cordyna_console.models import ProblemDocument
from cordyna_core.contract.base import Problem
from cordyna_core.errors import AccessError, NotFound, Refusal, ServiceError, UserError

STATUS: Final[tuple[tuple[type[UserError], int, str], ...]] = (
    (NotFound, 404, "not found"),
    (Refusal, 409, "refused"),
    (AccessError, 403, "not allowed"),
    (ServiceError, 503, "a service failed"),
    (UserError, 409, "refused"),
)

_HTTP: Final[Mapping[int, tuple[str, str]]] = {
    404: ("there is no such address.", "see /api/v1/openapi.json"),
    405: ("that method is not answered here.", "see /api/v1/openapi.json"),
}

MEDIA_TYPE: Final = "application/problem+json"

RESPONSES: Final[dict[int | str, dict[str, Any]]] = {
    status: {"model": ProblemDocument, "description": text}
    for status, text in (
        (400, "The request cannot be read."),
        (401, "The browser has not opened the console."),
        (403, "Not allowed."),
        (404, "Not found."),
        (409, "Refused, with every problem."),
        (503, "A service that cerebro needs failed."),
    )
}


def document_of(error: UserError) -> ProblemDocument:
    """A UserError as the API answers it."""
    status, title = next(
        (status, title) for kind, status, title in STATUS if isinstance(error, kind)
    )
    problems = list(error.problems) if isinstance(error, Refusal) else []
    return ProblemDocument(
        status=status,
        title=title,
        what=error.what,
        why=error.why,
        next=error.next,
        problems=problems,
    )


def _response(document: ProblemDocument) -> JSONResponse:
    return JSONResponse(document.model_dump(mode="json"), document.status, media_type=MEDIA_TYPE)


async def _user_error(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, UserError)
    return _response(document_of(error))


async def _invalid(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    problems = [
        Problem(
            code="invalid_request",
            message=f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}"[:500],
        )
        for fault in error.errors()[:100]
    ]
    return _response(
        ProblemDocument(
            status=400,
            title="the request cannot be read",
            what="the request cannot be read.",
            why="\n".join(problem.message for problem in problems),
            next="see /api/v1/openapi.json",
            problems=problems,
        )
    )


async def _http(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    what, following = _HTTP.get(error.status_code, (str(error.detail), ""))
    response = _response(
        ProblemDocument(
            status=error.status_code, title=str(error.detail), what=what, next=following
        )
    )
    response.headers.update(error.headers or {})
    return response


async def _fault(_: Request, error: Exception) -> JSONResponse:
    return _response(
        ProblemDocument(
            status=500,
            title="the console failed",
            what=f"the console itself failed: {type(error).__name__}: {error}"[:500],
            next="see the log of the console, and report it",
        )
    )


def install(app: FastAPI) -> None:
    """Make the application answer errors so."""
    app.add_exception_handler(UserError, _user_error)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(Exception, _fault)
