"""Team c's server as an ordinary process on its deployed work queue: the emulator runs no
containers. It is started as docs/deploying.md shows.
"""

import os
import signal
import subprocess
import sys
from pathlib import Path

from e2e.cloud import ROOT, Cloud


class Container:
    """Started and stopped as Fargate does: a process, then SIGTERM."""

    def __init__(self, cloud: Cloud, folder: Path) -> None:
        self._cloud, self._log = cloud, folder / "container.log"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
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
                env={**self._cloud.environment, **variables},
                cwd=ROOT / "functions" / "task_server_c",
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def stop(self) -> int | None:
        """Send SIGTERM; returns the exit status, or None if it was not started."""
        if self._process is None:
            return None
        if self._process.poll() is None:
            os.kill(self._process.pid, signal.SIGTERM)
        return self._process.wait(timeout=30)
