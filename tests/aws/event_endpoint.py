"""An HTTP endpoint in the place of EventBridge, in a process of its own.

It writes each request that it receives as a line to the descriptor ARGV[1], and answers the first
ones with the JSON texts that follow, the others as accepted. An empty text is status 500. With a
certificate in the variable PEM it speaks TLS.
"""

import http.server
import json
import os
import ssl
import sys
from typing import Final

ACCEPTED: Final = json.dumps({"FailedEntryCount": 0, "Entries": [{"EventId": "1"}]})

_answers = iter(sys.argv[2:])


class Endpoint(http.server.BaseHTTPRequestHandler):
    """Implements PutEvents."""

    def do_POST(self) -> None:
        """Note the request, then answer it."""
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        request = {"headers": dict(self.headers), "entries": body["Entries"]}
        os.write(int(sys.argv[1]), json.dumps(request).encode() + b"\n")
        answer = next(_answers, ACCEPTED)
        self.send_response(200 if answer else 500)
        text = (answer or "broken").encode()
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_request(self, code: object = "-", size: object = "-") -> None:
        """Print nothing."""


def main() -> None:
    """Serve on a free port, which is printed."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Endpoint) as server:
        if pem := os.environ.get("PEM"):
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(pem)
            server.socket = context.wrap_socket(server.socket, server_side=True)
        os.write(1, f"{server.server_port}\n".encode())
        server.serve_forever()


if __name__ == "__main__":
    main()
