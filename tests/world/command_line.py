"""The real `dyna` as processes of its own, on a folder with servers."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

DYNA = str(Path(sys.executable).with_name("dyna"))


class Folder:
    """A working folder with a home of its own. `server` is a file in it."""

    def __init__(self, path: Path, server: str, source: str) -> None:
        self.path, self.server = path, server
        (path / server).write_text(source)
        self.environment = {**os.environ, "CORDYNA_HOME": str(path / "home"), "COLUMNS": "100"}
        self.environment.pop("CORDYNA_SERVERS", None)

    @property
    def home(self) -> Path:
        return self.path / "home"

    def dyna(self, *arguments: str, timeout_s: float = 60) -> subprocess.CompletedProcess[str]:
        """One command, with the server named."""
        return self.bare("--server", self.server, *arguments, timeout_s=timeout_s)

    def bare(self, *arguments: str, timeout_s: float = 60) -> subprocess.CompletedProcess[str]:
        """One command, without a server."""
        return subprocess.run(
            [DYNA, *arguments],
            cwd=self.path,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=timeout_s,
        )

    def start(self, *arguments: str) -> "subprocess.Popen[str]":
        """A command that keeps running; the caller ends it."""
        return subprocess.Popen(
            [DYNA, "--server", self.server, *arguments],
            cwd=self.path,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def do(self, task: str, *options: str) -> dict[str, Any]:
        """The JSON of a run."""
        result = self.dyna("do", task, *options, "--json")
        run: dict[str, Any] = json.loads(result.stdout)
        assert "state" in run, run
        return run

    def logs(self, *arguments: str) -> list[str]:
        """The lines of the last run's log, without the columns before them."""
        lines = self.bare("logs", *arguments, "--json").stdout
        return [line["text"] for line in json.loads(lines)]


def end(process: "subprocess.Popen[str]", number: int = signal.SIGTERM) -> str:
    """Signal a process and wait for it. Returns its output."""
    process.send_signal(number)
    output, _ = process.communicate(timeout=60)
    return output


def until(condition: Callable[[], object], timeout_s: float = 30) -> None:
    """Wait for a condition of other processes."""
    give_up_at = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < give_up_at, "it did not happen"
        time.sleep(0.02)


def processes_with(text: str) -> list[int]:
    """The processes whose command line or environment contains a text."""
    pids = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                content = (entry / "cmdline").read_bytes() + (entry / "environ").read_bytes()
            except OSError:
                continue
            if text.encode() in content and b"Z (zombie)" not in content:
                pids.append(int(entry.name))
    return pids
