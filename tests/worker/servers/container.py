"""A server as a container runs it."""

import logging
import os
import sys
import time
from pathlib import Path

from cordyna_core import Context, TaskServer

print("imported")
server = TaskServer("task-server-a", concurrency=2)


@server.task
def task_1(*, ctx: Context) -> dict[str, str]:
    print("hello")
    print("careful", file=sys.stderr)
    ctx.log.info("rows: %d", 3)
    try:
        _ = 1 / 0
    except ZeroDivisionError:
        logging.getLogger("sales").exception("it failed")
    ctx.progress(0.5)
    return {"invoked": ctx.invoke("task-2"), "module": __name__}


@server.task
def dies() -> None:
    os._exit(3)


@server.task(run_timeout_s=1)
def wait_for_cancel(marker: str, *, ctx: Context) -> str:
    Path(marker).write_text("begun")
    while not ctx.cancelled:
        time.sleep(0.002)
    return "saw it"


@server.task
def waits_for_a_file(marker: str, file: str) -> str:
    Path(marker).write_text(str(os.getpid()))
    while not Path(file).exists():
        time.sleep(0.002)
    return "done"


server.serve()  # a worker process does not serve
