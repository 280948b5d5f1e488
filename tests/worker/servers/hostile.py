"""Bodies that misbehave: they attack their process, its streams, limits and relatives."""

import ctypes
import faulthandler
import gc
import json
import os
import resource
import signal
import sys
import tempfile
import threading
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from cordyna_core import Context, TaskServer

NAME: Final = os.environ.get("MISBEHAVING_NAME", "hostile")
server = TaskServer(NAME, owner="chaos")
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


def be_replaced() -> None:
    """Changed modules are the affair of their server; the next body is to be a new one here."""
    os.umask(0)


@misbehaves("worker_died")
def aborts() -> None:
    os.abort()


@misbehaves("failed")
def leaves_no_recursion() -> None:
    """What reports its end fails in it."""
    sys.setrecursionlimit(50)


@misbehaves("failed")
def recurses_for_ever() -> None:
    def down(depth: int) -> int:
        return down(depth + 1) + 1

    down(0)


@misbehaves("worker_died")
def kills_its_group() -> None:
    os.killpg(0, signal.SIGKILL)


@misbehaves("worker_died")
def exits_in_a_thread() -> None:
    threading.Thread(target=os._exit, args=(4,)).start()
    time.sleep(600)


@misbehaves("completed")
def raises_system_exit_in_a_thread() -> str:
    thread = threading.Thread(target=sys.exit, args=("bye",))
    thread.start()
    thread.join()
    return "here"


@misbehaves("failed")
def raises_generator_exit() -> None:
    raise GeneratorExit("odd")


@misbehaves("failed")
def raises_a_group() -> None:
    raise BaseExceptionGroup("many", [KeyboardInterrupt(), ValueError("x"), SystemExit(3)])


@misbehaves("failed")
def raises_with_an_endless_message() -> None:
    raise ValueError("x" * 20_000_000)


@misbehaves("failed")
def raises_with_a_surrogate() -> None:
    raise ValueError("\udcff\ud800\x00\u202e")


@misbehaves("failed")
def raises_what_interrupts_while_it_is_written() -> None:
    class Odd(Exception):
        def __str__(self) -> str:
            raise KeyboardInterrupt

        __repr__ = __str__

    raise Odd


@misbehaves("failed")
def raises_at_the_end_of_a_long_chain() -> None:
    error = ValueError("the first")
    for number in range(100_000):
        later = ValueError(number)
        later.__context__ = error
        error = later
    raise error


@misbehaves("failed")
def raises_in_a_circle() -> None:
    first, second = ValueError("first"), ValueError("second")
    first.__cause__, second.__cause__ = second, first
    raise first


@misbehaves("failed")
def raises_a_class_without_a_name() -> None:
    raise type("\ud800" * 300, (Exception,), {})("odd")


@misbehaves("failed_terminal")
def returns_not_a_number() -> dict[str, float]:
    return {"a": float("nan"), "b": float("inf")}


@misbehaves("failed_terminal")
def returns_too_much() -> str:
    return "x" * 3_000_000


@misbehaves("failed_terminal")
def returns_itself() -> list[Any]:
    endless: list[Any] = []
    endless.append(endless)
    return endless


@misbehaves("failed_terminal")
def returns_keys_that_become_equal() -> dict[Any, str]:
    return {1: "a", "1": "b"}


@misbehaves("completed")
def returns_a_surrogate() -> str:
    return "a lone \ud800 surrogate".encode("utf-8", "replace").decode()


@misbehaves("failed_terminal")
def returns_a_number_of_many_digits() -> int:
    return 10**5000


@misbehaves("completed")
def writes_into_a_deleted_folder() -> None:
    folder = tempfile.mkdtemp()
    os.chdir(folder)
    Path(folder).rmdir()


@misbehaves("completed")
def limits_its_descriptors() -> None:
    resource.setrlimit(resource.RLIMIT_NOFILE, (16, 16))


@misbehaves("completed")
def limits_its_files() -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)


@misbehaves("completed")
def uses_up_its_descriptors() -> None:
    kept = []
    try:
        while True:
            kept.append(os.dup(2))
    except OSError:
        globals()["kept"] = kept


@misbehaves("completed")
def puts_its_output_over_every_descriptor() -> None:
    for number in range(3, 64):
        os.dup2(1, number)


@misbehaves("worker_died")
def puts_its_output_over_the_connection() -> None:
    for entry in list(Path("/proc/self/fd").iterdir()):
        if int(entry.name) >= 64:
            os.dup2(1, int(entry.name))
    os.write(1, b'{"detail-type":"TaskStateChanged","detail":{}}\n')


@misbehaves("completed")
def blocks_all_signals() -> None:
    signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 32))


@misbehaves("run_timeout")
def blocks_all_signals_for_ever() -> None:
    signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 32))
    while True:
        time.sleep(60)


@misbehaves("run_timeout")
def joins_the_group_of_its_parent() -> None:
    """From there, its server would be signalled in its place, and with it all other bodies."""
    os.setpgid(0, os.getppid())
    time.sleep(60)


@misbehaves("run_timeout")
def stops_itself() -> None:
    os.kill(os.getpid(), signal.SIGSTOP)
    time.sleep(60)


@misbehaves("completed")
def asks_for_a_signal_at_its_parents_death() -> None:
    ctypes.CDLL(None).prctl(1, 0, 0, 0, 0)
    ctypes.CDLL(None).prctl(4, 0, 0, 0, 0)


@misbehaves("completed")
def replaces_what_everything_uses() -> None:
    json.dumps = lambda *_, **__: "{}"
    json.loads = lambda *_, **__: {"not": "what was returned"}
    time.time = time.monotonic = lambda: 0.0
    os.write = lambda *_: 0
    be_replaced()


@misbehaves("completed")
def forgets_its_modules() -> None:
    for name in [name for name in sys.modules if name.startswith(("json", "logging", "cordyna"))]:
        del sys.modules[name]
    be_replaced()


@misbehaves("completed")
def deletes_its_streams() -> None:
    del sys.stdout
    del sys.stderr


@misbehaves("completed")
def puts_nonsense_in_place_of_its_streams() -> None:
    sys.stdout = 7
    sys.stderr = None


@misbehaves("completed")
def prints_much_without_a_newline() -> None:
    for _ in range(100):
        sys.stdout.write("y" * 1_000_000)


@misbehaves("completed")
def warns_and_traces() -> None:
    warnings.simplefilter("error")
    faulthandler.disable()
    sys.settrace(lambda *_: None)
    gc.callbacks.append(lambda *_: None)


@misbehaves("completed")
def forks_many() -> None:
    for _ in range(20):
        if os.fork() == 0:
            print("child", flush=True)
            os._exit(0)


@misbehaves("completed")
def leaves_children_that_fork_on() -> None:
    if os.fork() == 0:
        for _ in range(30):
            if os.fork():
                os._exit(0)
            time.sleep(0.01)
        os._exit(0)


@misbehaves("completed")
def reports_nonsense_progress(*, ctx: Context) -> None:
    for value in (float("nan"), -1, 10**400, "x", None):
        ctx.progress(value, "m" * 10_000)  # type: ignore[arg-type]


@misbehaves("failed")
def opens_the_terminal() -> None:
    Path("/dev/tty").read_text()


@misbehaves("completed")
def changes_its_environment_to_bytes() -> None:
    os.environb[b"NOT_UTF8"] = b"\xff\xfe"
    os.environ["CORDYNA_HOME"] = "/nowhere"


@misbehaves("worker_died")
def kills_itself_at_its_end() -> None:
    class Bomb:
        def __reduce__(self) -> str:
            os._exit(5)

        def __iter__(self) -> Any:
            os._exit(5)

    globals()["bomb"] = Bomb()
    threading.Timer(0.0, os._exit, (5,)).start()
    time.sleep(600)
