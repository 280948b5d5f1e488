"""A server whose template cannot fork as long as a file exists."""

import errno
import os
from pathlib import Path

from cordyna_core import TaskServer

server = TaskServer("cannot-fork", concurrency=1)
_fork = os.fork


def fork() -> int:
    if Path(os.environ["FORK_FAILS_FILE"]).exists():
        raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))
    return _fork()


os.fork = fork


@server.task
def noop() -> int:
    return 1
