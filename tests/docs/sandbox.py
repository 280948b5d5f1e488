"""Sandbox: a folder in which the blocks of one page run, one after the other, as a reader's do.

Invariant: what a block leaves (files, working folder, variables) is there for the next one.
"""

import os
import re
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

from docs.blocks import Block

TIMEOUT_S = 120
_PROGRESS = re.compile(
    r"^(\d\d:\d\d:\d\d\.\d{3} \S+ on \S+: .*|run [0-9A-Z]{26}: .*)\n", re.MULTILINE
)
_RUN = """\
set -euo pipefail
set -a
[ -f "$STATE/env" ] && . "$STATE/env"
[ -f "$STATE/cwd" ] && cd "$(cat "$STATE/cwd")"
trap 'export -p > "$STATE/env"; pwd > "$STATE/cwd"' EXIT
"""


@dataclass
class Sandbox:
    """`folder`: where the page begins."""

    folder: Path
    last_output: str = ""
    python: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        (self.folder / "page").mkdir()
        (self.folder / "state").mkdir()

    @property
    def cwd(self) -> Path:
        state = self.folder / "state" / "cwd"
        return Path(state.read_text().strip()) if state.exists() else self.folder / "page"

    def write(self, name: str, text: str) -> None:
        target = self.cwd / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)

    def shell(self, commands: str) -> tuple[int, str]:
        """Exit status and output, stdout and stderr as a terminal has them."""
        return self._run(["bash", "-c", _RUN + commands])

    def run_python(self, text: str) -> tuple[int, str]:
        """Run a block behind those before it, as one program."""
        self.python.append(text)
        return self._run([sys.executable, "-c", "\n\n".join(self.python)])

    def _run(self, command: list[str]) -> tuple[int, str]:
        process = subprocess.Popen(
            command,
            cwd=self.cwd,
            env=self.environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        try:
            output, _ = process.communicate(timeout=TIMEOUT_S)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            raise
        return process.returncode, _PROGRESS.sub("", output)

    def environment(self) -> dict[str, str]:
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        variables = {
            "PATH": path,
            "HOME": str(self.folder),
            "STATE": str(self.folder / "state"),
            "LC_ALL": "C.UTF-8",
            "COLUMNS": "100",
        }
        if "PYTHONPATH" in os.environ:
            variables["PYTHONPATH"] = os.environ["PYTHONPATH"]
        return variables


def commands_of(text: str) -> list[tuple[str, str]]:
    """The commands behind `$ ` of a block, each with the output that is shown below it."""
    parts = re.split(r"^\$ ", text, flags=re.MULTILINE)
    commands = []
    for part in parts[1:]:
        lines = part.splitlines(keepends=True)
        end = next((at for at, line in enumerate(lines) if not line.endswith("\\\n")), 0) + 1
        commands.append(("".join(lines[:end]), "".join(lines[end:])))
    return commands


def is_session(block: Block) -> bool:
    return block.text.startswith("$ ")


def steadied(text: str, folder: Path) -> list[str]:
    """The lines without what differs from run to run: ids, times, folders, columns."""
    for pattern, word in (
        (re.escape(str(folder / "page")), "~"),
        (r"\b[0-9A-HJKMNP-TV-Z]{26}\b", "<run>"),
        (r"\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?Z?", "<moment>"),
        (r"\b\d\d:\d\d:\d\d(\.\d+)?Z?", "<moment>"),
        (r"\b\d+(\.\d+)? (ms|s)\b|\b\d+(\.\d+)?s\b|\b\d+ m \d\d s\b", "<span>"),
    ):
        text = re.sub(pattern, word, text)
    lines = [re.sub(r"\s+", " ", line).strip() for line in text.strip().splitlines()]
    return [line for line in lines if line]


def matches(expected: list[str], actual: list[str]) -> bool:
    """Whether the lines are equal; an expected line `...` means any number of lines."""
    if not expected:
        return not actual
    if expected[0] in ("...", "…"):
        return any(matches(expected[1:], actual[at:]) for at in range(len(actual) + 1))
    return bool(actual) and expected[0] == actual[0] and matches(expected[1:], actual[1:])
