"""Bodies that misbehave, each in one way. `EXPECTED` says how the attempt must end."""

import atexit
import ctypes
import logging
import logging.config
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from typing import Any, Final

from cordyna_core import Context, TaskServer

server = TaskServer(os.environ.get("MISBEHAVING_NAME", "misbehaving"), owner="chaos")
PREFIX: Final = os.environ.get("MISBEHAVING_PREFIX", "")
EXPECTED: Final[dict[str, str]] = {}
"""`completed`, or the reason of the error."""


def misbehaves(expected: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    def declare(body: Callable[..., Any]) -> Callable[..., Any]:
        name = body.__name__.replace("_", "-")
        clock_s = 2 if expected == "run_timeout" else 1800
        server.task(name=PREFIX + name, run_timeout_s=clock_s)(body)
        EXPECTED[name] = expected
        return body

    return declare


@misbehaves("worker_died")
def exits_at_once() -> None:
    print("before")
    os._exit(9)


@misbehaves("worker_died")
def segfaults() -> None:
    ctypes.string_at(0)


@misbehaves("worker_died")
def kills_itself() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


@misbehaves("completed")
def forks_and_both_return() -> str:
    os.fork()
    return "returned"


@misbehaves("worker_died")
def closes_every_descriptor() -> None:
    os.closerange(3, 4096)


@misbehaves("completed")
def closes_its_output() -> None:
    os.close(1)
    os.close(2)


@misbehaves("completed")
def reopens_descriptors() -> None:
    os.close(1)
    os.open("/dev/null", os.O_WRONLY)
    sys.stdout.close()


@misbehaves("completed")
def changes_the_process() -> None:
    os.chdir("/")
    os.umask(0o777)
    os.environ["PATH"] = "/nowhere"
    del os.environ["CORDYNA_WORKER_HOST"]


@misbehaves("completed")
def leaves_threads() -> None:
    threading.Thread(target=time.sleep, args=(600,)).start()


@misbehaves("completed")
def leaves_a_daemon() -> None:
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            os.closerange(0, 3)
            time.sleep(2)
        os._exit(0)
    os.wait()


@misbehaves("run_timeout")
def never_leaves_c() -> None:
    re.match("(a+)+b", "a" * 60)


@misbehaves("run_timeout")
def prints_for_ever() -> None:
    while True:
        print("for ever and ever")


@misbehaves("run_timeout")
def prints_no_newline_for_ever() -> None:
    while True:
        sys.stdout.write("." * 1000)


@misbehaves("completed")
def draws_a_bar() -> None:
    for number in range(20_000):
        sys.stderr.write(f"\r{number:6d}")


@misbehaves("completed")
def reconfigures_logging(*, ctx: Context) -> None:
    logging.config.dictConfig({"version": 1, "root": {"level": "ERROR", "handlers": []}})
    logging.shutdown()
    ctx.log.info("still here")


@misbehaves("run_timeout")
def ignores_sigterm() -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    while True:
        time.sleep(60)


@misbehaves("run_timeout")
def catches_everything() -> None:
    while True:
        try:
            time.sleep(60)
        except BaseException:
            continue


@misbehaves("failed")
def calls_sys_exit() -> None:
    sys.exit("goodbye")


@misbehaves("failed")
def raises_a_base_exception() -> None:
    class Odd(BaseException):
        def __str__(self) -> str:
            raise ValueError("even its text fails")

    raise Odd


@misbehaves("failed")
def raises_keyboard_interrupt() -> None:
    raise KeyboardInterrupt


@misbehaves("completed")
def leaves_a_noisy_child() -> None:
    subprocess.Popen(["sh", "-c", "while :; do echo noise; sleep 0.01; done"])


@misbehaves("completed")
def prints_much() -> None:
    for _ in range(300):
        sys.stdout.write("x" * 99_999 + "\n")


@misbehaves("completed")
def prints_bytes() -> None:
    os.write(1, bytes(range(256)) * 40)
    print("\ud800 \x00 \u202e")


@misbehaves("failed")
def reads_stdin() -> None:
    input("name? ")


@misbehaves("failed_terminal")
def returns_deep_nesting() -> list[Any]:
    nested: list[Any] = []
    for _ in range(2000):
        nested = [nested]
    return nested


@misbehaves("completed")
def fills_the_socket(*, ctx: Context) -> None:
    for number in range(3000):
        ctx.progress(number / 3000, "x" * 1000)


@misbehaves("completed")
def breaks_at_exit() -> None:
    atexit.register(time.sleep, 600)
    os.environ["CHANGED"] = "1"


@misbehaves("completed")
def sets_an_alarm() -> None:
    signal.setitimer(signal.ITIMER_REAL, 600)
