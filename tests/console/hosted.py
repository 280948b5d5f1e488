"""A hosted console for tests: events of API Gateway before the handlers, and a cloud in memory."""

import json
from typing import Any

from cli_aws.cloud_in_memory import MemoryCloud
from cordyna_console.hosted.lambda_handlers import Handler, handler_of
from cordyna_console.routes.shared import Permission

SIGN_IN = {
    "client_id": "the-client",
    "authorize": "https://login.example.org/oauth2/authorize",
    "token": "https://login.example.org/oauth2/token",
}
ENVIRON = {"CORDYNA_BUS": "cordyna", "CORDYNA_CONSOLE_SIGN_IN": json.dumps(SIGN_IN)}
PARAMETERS = {
    "bus": "cordyna",
    "query": "cordyna-query",
    "events-log": "/aws/events/cordyna",
    "schedule-group": "cordyna",
}
ALL = "openid cordyna/look cordyna/invoke cordyna/operate"


def a_cloud() -> MemoryCloud:
    """y needs x, on one server; cerebro is found by its parameters."""
    cloud = MemoryCloud()
    cloud.declare("x", "y<-x")
    listed = [
        {"Name": f"/cordyna/production/{name}", "Value": value}
        for name, value in PARAMETERS.items()
    ]
    cloud.answers["ssm.get_parameters_by_path"] = lambda **_: {"Parameters": listed}
    cloud.answers["scheduler.list_schedules"] = lambda **_: {"Schedules": []}
    return cloud


def a_function(cloud: MemoryCloud, permission: Permission) -> Handler:
    """The handler of one function."""
    session: Any = cloud
    return handler_of(permission, ENVIRON, session)


def gateway_event(
    method: str,
    path: str,
    *,
    subject: str | None = "ana",
    scope: str = ALL,
    body: Any = None,
    query: str = "",
    **headers: str,
) -> dict[str, Any]:
    """An event of an HTTP API, payload format 2.0. `subject` None: a route without authorizer."""
    context: dict[str, Any] = {
        "accountId": "111122223333",
        "domainName": "console.example.org",
        "http": {
            "method": method,
            "path": path,
            "protocol": "HTTP/1.1",
            "sourceIp": "192.0.2.1",
            "userAgent": "test",
        },
        "routeKey": f"{method} {path}",
        "stage": "$default",
    }
    if subject is not None:
        claims = {"sub": subject, "scope": scope, "iss": "https://login.example.org"}
        context["authorizer"] = {"jwt": {"claims": claims, "scopes": None}}
    changes = {"content-type": "application/json", "x-cordyna": "1"} if method == "POST" else {}
    return {
        "version": "2.0",
        "routeKey": f"{method} {path}",
        "rawPath": path,
        "rawQueryString": query,
        "headers": {"host": "console.example.org", **changes, **headers},
        "requestContext": context,
        "body": "" if body is None else json.dumps(body),
        "isBase64Encoded": False,
    }


def ask(handler: Handler, method: str, path: str, **options: Any) -> tuple[int, Any]:
    """Status and JSON of an answer."""
    answer = handler(gateway_event(method, path, **options), None)
    text = answer.get("body") or "null"
    return answer["statusCode"], json.loads(text)
