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
from cordyna_cli.output.streams import take_streams


def process_environment() -> Environment:
    """The environment of this process. From now on, stdout belongs to `dyna` alone."""
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
