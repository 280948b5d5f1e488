"""A gateway for the browser tests of the hosted console: HTTP requests as events of API Gateway.

It verifies `Bearer token-of-NAME:SCOPES`, as the authorizer of an HTTP API verifies a JWT, chooses
the function by the console's own route table, and answers what the function answers. Behind the
functions is the cloud in memory; `POST /test/report?run=R&task=T&state=S` speaks as its server.
"""

import base64
import re
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from console.hosted import a_cloud, a_function, gateway_event
from cordyna_console.app import API_PREFIX
from cordyna_console.hosted.app import hosted_routes
from cordyna_console.hosted.person import PERMISSIONS
from cordyna_console.routes.shared import Permission

CLOUD = a_cloud()
FUNCTIONS = {name: a_function(CLOUD, name) for name in PERMISSIONS}
ROUTES: list[tuple[str, re.Pattern[str], Permission]] = [
    (method, re.compile(re.sub(r"\{[^}]+\}", "[^/]+", f"{API_PREFIX}{route.path}")), permission)
    for permission in PERMISSIONS
    for route in hosted_routes(permission)
    for method in route.methods or ()
]


class Gateway(BaseHTTPRequestHandler):
    """One request."""

    def do_GET(self) -> None:
        self._handle()

    def do_POST(self) -> None:
        self._handle()

    def log_message(self, *_: Any) -> None:
        """Say nothing."""

    def _handle(self) -> None:
        address = urlsplit(self.path)
        if address.path == "/test/report":
            words = {name: values[0] for name, values in parse_qs(address.query).items()}
            CLOUD.report(words["run"], words["task"], words["state"])
            self._send(204, {}, b"")
            return
        permission = self._permission(address.path)
        claims = self._claims() if address.path.startswith(API_PREFIX) else None
        if permission is None or (address.path.startswith(API_PREFIX) and claims is None):
            self._send(401 if permission else 404, {"content-type": "application/json"}, b"{}")
            return
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        event = gateway_event(self.command, unquote(address.path), query=address.query)
        event["headers"] = {name.lower(): value for name, value in self.headers.items()}
        event["body"] = body.decode()
        if claims is None:
            del event["requestContext"]["authorizer"]
        else:
            event["requestContext"]["authorizer"] = {"jwt": {"claims": claims, "scopes": None}}
        answer = FUNCTIONS[permission](event, None)
        text = answer.get("body", "")
        content = base64.b64decode(text) if answer["isBase64Encoded"] else text.encode()
        self._send(answer["statusCode"], answer.get("headers", {}), content)

    def _permission(self, path: str) -> Permission | None:
        for method, pattern, permission in ROUTES:
            if method == self.command and pattern.fullmatch(path):
                return permission
        return "look" if self.command == "GET" and not path.startswith(API_PREFIX) else None

    def _claims(self) -> dict[str, str] | None:
        match = re.fullmatch(r"Bearer token-of-(\w+):(.+)", self.headers.get("authorization", ""))
        return None if match is None else {"sub": match[1], "scope": match[2]}

    def _send(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.send_response(status)
        for name, value in headers.items():
            if name not in ("content-length", "connection"):
                self.send_header(name, value)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def main() -> None:
    """Serve until the process is ended; the port is the first line of output."""
    server = HTTPServer(("127.0.0.1", 0), Gateway)
    sys.stdout.write(f"{server.server_port}\n")
    sys.stdout.flush()
    server.serve_forever()


if __name__ == "__main__":
    main()
