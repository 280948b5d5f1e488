"""Team c's server as an ordinary process on its deployed work queue: the emulator runs no
containers. It is started as docs/deploying.md shows.
"""

import json
import os
import signal
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any, Self

from e2e.cloud import ROOT, Cloud


class EcsAgent:
    """The agent of an instance of Amazon ECS, which is asked for protection. Use as a context."""

    def __init__(self) -> None:
        self.protected: list[bool] = []
        agent = self

        class Handler(BaseHTTPRequestHandler):
            def do_PUT(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                agent.protected.append(json.loads(body)["ProtectionEnabled"])
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: Any) -> None: ...

        self._server = HTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever)
        self.address = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class Container:
    """Started and stopped as Fargate does: a process, then SIGTERM."""

    def __init__(self, cloud: Cloud, folder: Path) -> None:
        self._cloud, self._log = cloud, folder / "container.log"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, **environment: str) -> None:
        """Start it with the variables of its deployed ingress, and `environment`."""
        function = self._cloud.aws(
            "lambda", "get-function-configuration", "--function-name", "task-server-c-ingress"
        )
        variables = {
            name: value
            for name, value in function["Environment"]["Variables"].items()
            if name.startswith("CORDYNA_")
        }
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "cordyna_core.entrypoints.serve"],
                env={**self._cloud.environment, **variables, **environment},
                cwd=ROOT / "functions" / "task_server_c",
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def terminate(self) -> None:
        """Send SIGTERM, without waiting for the end."""
        assert self._process is not None
        os.kill(self._process.pid, signal.SIGTERM)

    def stop(self) -> int | None:
        """Send SIGTERM; returns the exit status, or None if it was not started."""
        if self._process is None:
            return None
        if self._process.poll() is None:
            self.terminate()
        return self.wait()

    def wait(self) -> int:
        """Wait for the end; returns the exit status."""
        assert self._process is not None
        return self._process.wait(timeout=60)
