"""Environment: everything the command line takes from its process, so that tests need neither a terminal nor a process.

Law: only `of_this_process`, with `streams`, reads `sys` and `os`; all others are given an Environment.
"""

import os
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from cordyna_cli.output.streams import take_streams

if TYPE_CHECKING:  # not needed to print `dyna --help`
    from cordyna_cli.engine import Engine

OpenEngine = Callable[[Any], "Engine"]
"""An entry of the group `cordyna.engines`: EngineOptions -> Engine."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """What surrounds one call of `dyna`."""

    argv: tuple[str, ...]
    environ: Mapping[str, str]
    cwd: Path
    stdin: TextIO
    stdout: TextIO
    stderr: TextIO
    now: Callable[[], datetime]
    engines: Mapping[str, OpenEngine] | None = None
    """Given engines; None: those that are installed."""


def of_this_process() -> Environment:
    """The real one. From here on, stdout belongs to the command line alone (see `streams`)."""
    streams = take_streams()
    return Environment(
        argv=tuple(sys.argv[1:]),
        environ=os.environ,
        cwd=Path.cwd(),
        stdin=streams.stdin,
        stdout=streams.stdout,
        stderr=streams.stderr,
        now=lambda: datetime.fromtimestamp(time.time(), UTC),
    )
