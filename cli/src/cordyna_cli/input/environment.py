"""Environment: what the command line takes from its process, so that tests need no process."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:  # `dyna --help` needs no engine
    from cordyna_cli.engine import OpenEngine


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """The surroundings of one call of `dyna`.

    `engines` replaces the installed engines; None: those that are installed.
    """

    argv: tuple[str, ...]
    environ: Mapping[str, str]
    cwd: Path
    stdin: TextIO
    stdout: TextIO
    stderr: TextIO
    now: Callable[[], datetime]
    engines: "Mapping[str, OpenEngine] | None" = None
