"""Middleware: the guard in front of every request, limits of bodies, conditional answers, headers.

Invariant: what the guard refuses never reaches the application. Every answer carries the headers
of `SECURITY_HEADERS`.
"""

import asyncio
import hashlib
import json
from collections.abc import Callable, Mapping
from typing import Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from cordyna_console.guard import BODY_BYTES_MAX, GuardRefusal, RequestHead

BODY_WITHIN_S: Final = 10.0
"""How long after its request a body must have arrived."""

SECURITY_HEADERS: Final[Mapping[str, str]] = {
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}


Examine = Callable[[RequestHead], GuardRefusal | None]
"""Why a request is refused, or None."""


class GuardMiddleware:
    """Refuses what `examine` refuses, and bodies that are too large or too slow."""

    def __init__(self, app: ASGIApp, examine: Examine, policy: str) -> None:
        self._app, self._examine = app, examine
        self._headers = {**SECURITY_HEADERS, "Content-Security-Policy": policy}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            return  # a websocket: closed by the server
        head = RequestHead(
            method=scope["method"],
            path=scope["path"],
            headers=tuple((k.decode("latin-1"), v.decode("latin-1")) for k, v in scope["headers"]),
        )

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in self._headers.items():
                    headers[name] = value
            await send(message)

        refused = self._examine(head)
        if refused is None and head.method == "POST":
            refused, receive = await _with_body(receive)
        if refused is not None:
            await answer_refusal(refused, send_with_headers)
            return
        await self._app(scope, receive, send_with_headers)


async def _with_body(receive: Receive) -> tuple[GuardRefusal | None, Receive]:
    """Read the body. Answers a refusal, or a `receive` that gives the body at once."""
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_WITHIN_S):
            more = True
            while more:
                message = await receive()
                if message["type"] == "http.disconnect":
                    return GuardRefusal(
                        400,
                        "the connection was closed.",
                        "the body did not arrive",
                        "send it again",
                    ), receive
                body += message.get("body", b"")
                more = message.get("more_body", False)
                if len(body) > BODY_BYTES_MAX:
                    return GuardRefusal(
                        413,
                        "the body is too large.",
                        f"at most {BODY_BYTES_MAX:,} bytes",
                        "send less",
                    ), receive
    except TimeoutError:
        return GuardRefusal(
            408, "the body did not arrive in time.", f"within {BODY_WITHIN_S:g} s", "send it again"
        ), receive
    pending: list[Message] = [{"type": "http.request", "body": bytes(body), "more_body": False}]

    async def replay() -> Message:
        return pending.pop() if pending else await receive()

    return None, replay


async def answer_refusal(refused: GuardRefusal, send: Send) -> None:
    """Answer a refusal as a problem document, and close the connection."""
    body = json.dumps(
        {
            "type": "about:blank",
            "title": "refused",
            "status": refused.status,
            "what": refused.what,
            "why": refused.why,
            "next": refused.next,
            "problems": [],
        }
    ).encode()
    headers = [
        (b"content-type", b"application/problem+json"),
        (b"content-length", str(len(body)).encode()),
        (b"connection", b"close"),
        *((name.encode(), value.encode()) for name, value in refused.headers),
    ]
    await send({"type": "http.response.start", "status": refused.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


class ConditionalMiddleware:
    """Gives each answer of the API an ETag, and answers 304 to who has it already."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] not in ("GET", "HEAD"):
            await self._app(scope, receive, send)
            return
        known = Headers(scope=scope).get("if-none-match", "")
        start: Message | None = None
        body = bytearray()

        async def hold(message: Message) -> None:
            nonlocal start
            if message["type"] == "http.response.start":
                if _is_held(message):
                    start = message
                else:
                    await send(message)
                return
            if start is None:
                await send(message)
                return
            body.extend(message.get("body", b""))
            if not message.get("more_body", False):
                await _send_with_tag(start, bytes(body), known, send)

        await self._app(scope, receive, hold)


def _is_held(start: Message) -> bool:
    content_type = Headers(raw=start["headers"]).get("content-type", "")
    return start["status"] == 200 and content_type.startswith("application/json")


async def _send_with_tag(start: Message, body: bytes, known: str, send: Send) -> None:
    # Weak: the same answer may be sent compressed or not.
    tag = f'W/"{hashlib.sha256(body).hexdigest()[:32]}"'
    headers = MutableHeaders(scope=start)
    headers["ETag"] = tag
    headers.setdefault("Cache-Control", "no-cache")
    if tag in [candidate.strip() for candidate in known.split(",")]:
        start["status"] = 304
        del headers["Content-Length"]
        del headers["Content-Type"]
        body = b""
    await send(start)
    await send({"type": "http.response.body", "body": body})
