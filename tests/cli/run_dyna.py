"""`dyna` run in this process: no terminal, no clock, no environment of its own."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any

from cli.fake_engine import FakeEngine
from cli.run_builders import at
from cordyna_cli.input.environment import Environment
from cordyna_cli.main import main

NOW = at(10)


class Terminal(StringIO):
    """A stream with a terminal behind it."""

    def isatty(self) -> bool:
        return True


@dataclass(frozen=True)
class CliResult:
    """What a call of `dyna` left behind."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The one JSON object on stdout."""
        assert self.out.count("\n") == 1
        return json.loads(self.out)


def dyna(
    *words: str,
    engine: FakeEngine | None = None,
    terminal: bool = False,
    width: int = 100,
    environ: Mapping[str, str] | None = None,
    stdin: str = "",
    cwd: Path = Path("/nowhere"),
) -> CliResult:
    kind = Terminal if terminal else StringIO
    out, err = kind(), kind()
    engines = {} if engine is None else {"embedded": engine.open, "aws": engine.open}
    environment = Environment(
        argv=words,
        environ={"COLUMNS": str(width), "LINES": "30", "TERM": "xterm-256color", **(environ or {})},
        cwd=cwd,
        stdin=kind(stdin),
        stdout=out,
        stderr=err,
        now=lambda: NOW,
        engines=engines,
    )
    status = main(environment)
    return CliResult(status, out.getvalue(), err.getvalue())


def without_escapes(text: str) -> str:
    """What a terminal shows of it, without colours and movements of the cursor."""
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text)
