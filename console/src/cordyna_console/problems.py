"""Problems: every error as `application/problem+json`, in the words of `UserError`.

Invariant: no error of a route leaves in another form, also one that is a bug.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from cordyna_console.models import ProblemDocument
from cordyna_core.contract.base import Problem
from cordyna_core.errors import AccessError, NotFound, Refusal, ServiceError, UserError


@dataclass(frozen=True, slots=True)
class _Kind:
    """How one kind of error is answered; `why` and `next` where the error itself has none."""

    error: type[UserError]
    status: int
    title: str
    why: str
    next: str


KINDS: Final = (
    _Kind(NotFound, 404, "not found", "nothing here has that name", "search for it on the page"),
    _Kind(
        Refusal, 409, "refused", "what it depends on does not allow it", "change it, and ask again"
    ),
    _Kind(
        AccessError,
        403,
        "not allowed",
        "your credentials do not allow it",
        "ask for the policy that is named, or use another profile",
    ),
    _Kind(
        ServiceError,
        503,
        "a service failed",
        "a service that cerebro needs did not answer as it should",
        "ask again in a while; `dyna doctor` examines the services",
    ),
    _Kind(UserError, 409, "refused", "it cannot be done as it was asked for", "ask otherwise"),
)

_DOCUMENTED: Final = "see /api/v1/openapi.json"

_HTTP: Final[Mapping[int, tuple[str, str]]] = {
    404: ("there is no such address.", "neither the page nor the API has one of that name"),
    405: ("that method is not answered here.", "the address has other methods"),
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
    """Return a UserError as the API answers it."""
    kind = next(kind for kind in KINDS if isinstance(error, kind.error))
    problems = list(error.problems) if isinstance(error, Refusal) else []
    return ProblemDocument(
        status=kind.status,
        title=kind.title,
        what=error.what,
        why=error.why or kind.why,
        next=error.next or kind.next,
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
            message=f"{'.'.join(map(str, fault['loc']))}:"
            f" {fault['msg'].removeprefix('Value error, ')}"[:500],
        )
        for fault in error.errors()[:100]
    ]
    return _response(
        ProblemDocument(
            status=400,
            title="the request cannot be read",
            what="the request cannot be read.",
            why="\n".join(problem.message for problem in problems),
            next=_DOCUMENTED,
            problems=problems,
        )
    )


async def _http(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    what, why = _HTTP.get(error.status_code, (str(error.detail), "the request cannot be answered"))
    response = _response(
        ProblemDocument(
            status=error.status_code,
            title=str(error.detail),
            what=what,
            why=why,
            next=_DOCUMENTED,
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
            why="this is a fault of the console, and not of the request",
            next="see the log of the console, and report it",
        )
    )


def install(app: FastAPI) -> None:
    """Make the application answer errors so."""
    app.add_exception_handler(UserError, _user_error)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(Exception, _fault)
