"""Lambda handlers of the hosted console: `look`, `invoke` and `operate`.

Invariant: what a function may do on AWS is what its role allows, whatever a request says; the
person's name only chooses under which source of a client a command is sent.

    CORDYNA_BUS               the bus of the cerebro that is shown
    CORDYNA_CONSOLE_SIGN_IN   `SignIn` as JSON
"""

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache
from http import HTTPStatus
from typing import Any, Final

from mangum import Mangum

from cordyna_cli.aws.aws_session import AwsSession
from cordyna_cli.aws.commands import client_source
from cordyna_cli.aws.discovery import CerebroLocation, find_cerebro
from cordyna_cli.aws.engine import AwsEngine
from cordyna_cli.engine import EngineOptions
from cordyna_console.console import Console, ConsoleIdentity, Right
from cordyna_console.hosted.app import hosted_app
from cordyna_console.hosted.person import Person
from cordyna_console.hosted.sign_in import SignIn
from cordyna_console.problems import MEDIA_TYPE
from cordyna_console.routes.shared import Permission

WAIT_S: Final = 20.0
"""A command is waited for less long than API Gateway waits for a function (30 s)."""

ANSWER_BYTES_MAX: Final = 5_500_000
"""A function may answer 6 MB, encoded (Lambda quotas)."""

TEXT_TYPES: Final = ["text/", "application/json", MEDIA_TYPE, "image/svg+xml"]

Event = dict[str, Any]
Handler = Callable[[Event, Any], Event]


def handler_of(permission: Permission, environ: Mapping[str, str], session: AwsSession) -> Handler:
    """Return the handler of one function. Raises ValidationError for a bad setting, NotFound."""
    sign_in = SignIn.parse(environ["CORDYNA_CONSOLE_SIGN_IN"])
    location = find_cerebro(session, environ["CORDYNA_BUS"])
    shared = _console(session, location, None)

    def console_of_person(person: Person) -> Console:
        own = _console(session, location, person)
        # What was read for one person is read by the same role for another.
        return replace(shared, engine=own.engine, identity=own.identity)

    app = hosted_app(
        permission, console=shared, console_of_person=console_of_person, sign_in=sign_in
    )
    adapter = Mangum(app, lifespan="off", text_mime_types=TEXT_TYPES)

    def handle(event: Event, context: Any) -> Event:
        answer: Event = adapter(event, context)
        return answer if len(answer.get("body", "")) <= ANSWER_BYTES_MAX else _too_large()

    return handle


def _console(session: AwsSession, location: CerebroLocation, person: Person | None) -> Console:
    name = None if person is None else person.name
    granted = frozenset[Permission]() if person is None else person.permissions
    rights: tuple[Right, ...] = ("invoke", "operate")
    engine = AwsEngine(session, location, source=client_source(name))
    identity = ConsoleIdentity(
        engine="aws",
        where=engine.where,
        command=f"dyna --bus {location.bus}",
        by=name or "",
        live="poll",
        can={right: "yes" if right in granted else "no" for right in rights},
    )
    return Console(engine=engine, identity=identity, now=lambda: datetime.now(UTC), wait_s=WAIT_S)


def _too_large() -> Event:
    problem = {
        "type": "about:blank",
        "title": "too large",
        "status": HTTPStatus.INSUFFICIENT_STORAGE.value,
        "what": "the answer is larger than a hosted console can send.",
        "why": f"a Lambda function answers at most {ANSWER_BYTES_MAX:,} bytes",
        "next": "narrow the question, or ask with `dyna` on your machine",
        "problems": [],
    }
    return {
        "statusCode": HTTPStatus.INSUFFICIENT_STORAGE.value,
        "headers": {"content-type": MEDIA_TYPE},
        "body": json.dumps(problem),
        "isBase64Encoded": False,
    }


@cache
def _handler(permission: Permission) -> Handler:
    return handler_of(permission, os.environ, AwsSession(EngineOptions()))


def look(event: Event, context: Any) -> Event:
    """Answer what only shows something, and the page itself."""
    return _handler("look")(event, context)


def invoke(event: Event, context: Any) -> Event:
    """Answer what invokes, cancels and retries."""
    return _handler("invoke")(event, context)


def operate(event: Event, context: Any) -> Event:
    """Answer what pauses crons, and reads and redrives dead letters."""
    return _handler("operate")(event, context)
