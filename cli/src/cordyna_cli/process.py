"""Process: the environment of `dyna` as a real process has it.

Invariant: only this module and `output.streams` read `sys` and `os.environ`; the others get an
`Environment`.
"""

import os
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

from cordyna_cli.input.environment import Environment
from cordyna_cli.output.errors import error_text, exit_status_of
from cordyna_cli.output.streams import take_streams
from cordyna_core.errors import UserError


def process_environment() -> Environment:
    """Return the environment of this process. From now on, stdout belongs to `dyna` alone.

    Raises UserError: the working folder has been deleted.
    """
    try:
        cwd = Path.cwd()
    except FileNotFoundError as deleted:
        raise UserError(
            "the working folder does not exist any more.",
            why="homes, servers and settings are looked up from there",
            next="cd to a folder that exists, then run the same command again",
        ) from deleted
    streams = take_streams()
    return Environment(
        argv=tuple(sys.argv[1:]),
        environ=os.environ,
        cwd=cwd,
        stdin=streams.stdin,
        stdout=streams.stdout,
        stderr=streams.stderr,
        now=lambda: datetime.fromtimestamp(time.time(), UTC),
    )


def report_without_environment(error: UserError) -> int:
    """Write an error of `process_environment` to stderr. Returns the exit status."""
    sys.stderr.write(error_text(error))
    return int(exit_status_of(error))
