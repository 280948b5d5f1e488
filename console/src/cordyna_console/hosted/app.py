"""App: the hosted console of one permission as an ASGI application.

Invariant: API Gateway has verified the token before a function is called; a request of the API
without verified claims, or without the scope of the function's permission, is refused here again.
A function answers only routes of its own permission, so a mistaken route of the gateway shows
nothing more.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from fastapi import APIRouter, FastAPI
from fastapi.routing import APIRoute
from starlette.types import ASGIApp, Receive, Scope, Send

from cordyna_console.app import ROUTERS, add_page, application, protect
from cordyna_console.assets import INDEX, load_assets
from cordyna_console.console import Console
from cordyna_console.guard import API, GuardRefusal, hosted_refusal
from cordyna_console.hosted.person import Person, person_of
from cordyna_console.hosted.sign_in import SignIn, index_with, policy_with
from cordyna_console.middleware import answer_refusal
from cordyna_console.routes.shared import Permission, permission_of

EVENT: Final = "aws.event"
"""Where the adapter puts the event of API Gateway in a scope."""

STREAM_SUFFIX: Final = "/live"

NOT_SIGNED_IN: Final = GuardRefusal(
    401,
    "this browser is not signed in.",
    "the request has no verified token",
    "load the page again",
)


def hosted_routes(permission: Permission) -> Iterator[APIRoute]:
    """Yield the routes that a permission allows. A function cannot stream: the page asks again."""
    for router in ROUTERS:
        for route in router.routes:
            if (
                isinstance(route, APIRoute)
                and not route.path.endswith(STREAM_SUFFIX)
                and route.path != "/openings"
                and permission_of(route) == permission
            ):
                yield route


def hosted_app(
    permission: Permission,
    *,
    console: Console,
    console_of_person: Callable[[Person], Console],
    sign_in: SignIn,
) -> FastAPI:
    """Return the application of one function.

    `console` reads; a person's own console speaks as them.
    """
    router = APIRouter()
    router.routes.extend(hosted_routes(permission))
    app = application(console, [router])
    assets = load_assets()
    assets[INDEX] = index_with(sign_in, assets[INDEX])
    if permission == "look":
        add_page(app, assets)
    app.add_middleware(
        PersonMiddleware,
        permission=permission,
        sign_in=sign_in,
        console_of_person=console_of_person,
    )
    protect(app, hosted_refusal, policy_with(sign_in, assets[INDEX]))
    return app


class PersonMiddleware:
    """Gives each request of the API the console of the person who asks."""

    def __init__(
        self,
        app: ASGIApp,
        permission: Permission,
        sign_in: SignIn,
        console_of_person: Callable[[Person], Console],
    ) -> None:
        self._app, self._permission, self._sign_in = app, permission, sign_in
        self._console_of_person = console_of_person

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if not scope["path"].startswith(API):
            await self._app(scope, receive, send)
            return
        person = person_of(
            _claims(scope.get(EVENT, {})),
            name_claim=self._sign_in.name_claim,
            scope_prefix=self._sign_in.scope_prefix,
        )
        if person is None:
            await answer_refusal(NOT_SIGNED_IN, send)
        elif self._permission not in person.permissions:
            await answer_refusal(self._not_allowed(), send)
        else:
            scope.setdefault("state", {})["console"] = self._console_of_person(person)
            await self._app(scope, receive, send)

    def _not_allowed(self) -> GuardRefusal:
        scope = f"{self._sign_in.scope_prefix}{self._permission}"
        return GuardRefusal(
            403,
            "this is not allowed to you.",
            f"your token has no scope {scope}",
            "ask who administers sign-in for that scope, then sign in again",
        )


def _claims(event: Mapping[str, Any]) -> Mapping[str, str]:
    """Return the verified claims of an event of API Gateway.

    Empty for a route without an authorizer.
    """
    authorizer = event.get("requestContext", {}).get("authorizer") or {}
    claims: Mapping[str, str] = (authorizer.get("jwt") or {}).get("claims") or {}
    return claims
