"""Bodies that behave, for tests of the worker."""

import logging
import logging.config
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

from cordyna_core import Context, TaskServer

server = TaskServer(os.environ.get("BODIES_NAME", "bodies"))


@server.task
def noop() -> int:
    return 1


@server.task
def pid() -> int:
    return os.getpid()


@server.task
def lines(n: int = 3) -> int:
    for number in range(n):
        print("line", number)
    return n


@server.task
def everywhere(*, ctx: Context) -> None:
    sys.stdout.writelines(["a\n", "b\n"])
    subprocess.run(["echo", "from a subprocess"], stdout=sys.stdout, check=True)
    os.write(1, b"from os.write\n")
    if os.fork() == 0:
        print("from a fork")
        return
    os.wait()
    sys.stdout.buffer.write(b"bytes \xff\n")
    print("on stderr", file=sys.stderr)
    logging.config.dictConfig({"version": 1, "disable_existing_loggers": True})
    ctx.log.info("from ctx.log")
    ctx.log.info("%d rows", "many")


@server.task
def wait_for_cancel(marker: str, *, ctx: Context) -> str:
    Path(marker).write_text("begun")
    while not ctx.cancelled:
        time.sleep(0.002)
    return "saw it"


@server.task
def wait_forever(marker: str) -> None:
    print("waiting")
    Path(marker).write_text(str(os.getpid()))
    try:
        while True:
            time.sleep(60)
    finally:
        print("cleaned up")


@server.task
def stubborn(marker: str) -> None:
    """Neither SIGTERM nor its children's end stop it."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    child = subprocess.Popen(["sleep", "600"], start_new_session=True)
    Path(marker).write_text(f"{os.getpid()} {child.pid}")
    while True:
        time.sleep(60)


@server.task
def leaves_a_writer(marker: str) -> str:
    """A child keeps the output open after the body has ended."""
    code = "import time; print('child', flush=True); time.sleep(600)"
    child = subprocess.Popen([sys.executable, "-c", code])
    Path(marker).write_text(str(child.pid))
    return "done"


@server.task
def leaves_a_daemon(marker: str) -> str:
    """A child that lets go of everything is left on purpose."""
    null = subprocess.DEVNULL
    child = subprocess.Popen(
        ["sleep", "600"], stdin=null, stdout=null, stderr=null, start_new_session=True
    )
    Path(marker).write_text(str(child.pid))
    return "done"


@server.task
def flood(mb: int = 16) -> None:
    block = "x" * 1023 + "\n"
    for _ in range(mb * 1024):
        sys.stdout.write(block)


@server.task
def random_number() -> float:
    return random.random()
