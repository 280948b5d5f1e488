"""How much slower a run is while a page follows it: CPU of the process, with and without.

`python bench/console_attached.py [TASKS [PAGES]]`: runs in turn with no follower and with the
streams of some pages, and prints the medians, and the least of each, which other programs of the
machine disturb least. On a machine that does other work, two runs differ by more than the pages
cost: the last line is what the threads of the pages used themselves. Budget: 5 %.
"""

import gc
import statistics
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from cerebro.embedded.embedded_engine import EmbeddedEngine
from cerebro.embedded.storage.home import MemoryHome
from cordyna_cli.engine import Invoked
from cordyna_console.answers.runs import reading
from cordyna_console.console import Console, ConsoleIdentity
from cordyna_console.live import READ_EVERY_S, LiveRuns
from cordyna_core import TaskServer
from cordyna_core.contract.commands import InvokeTask

ROUNDS = 9
LAYERS = 40


def layered(size: int) -> TaskServer:
    """Return a server with `size` tasks in layers, and one that needs them all."""
    server = TaskServer("bench")
    width = max(1, size // LAYERS)
    for index in range(size):
        needs = [f"t{index - width}"] if index >= width else []
        server.task(name=f"t{index}", upstream=needs)(lambda: None)
    server.task(name="all", upstream=[f"t{index}" for index in range(size)])(lambda: None)
    return server


@contextmanager
def followed(
    engine: EmbeddedEngine, run_id: str, pages: int, used_s: list[float]
) -> Iterator[None]:
    """Let pages follow the run until the block ends. Adds the CPU of each to `used_s`."""
    identity = ConsoleIdentity(engine="embedded", where="", command="dyna", by="")
    console = Console(engine=engine, identity=identity, now=lambda: datetime.now(UTC))
    live = LiveRuns(lambda run, since: reading(console, engine.facts(run, since=since)))
    over = threading.Event()

    def follow() -> None:
        cursor = None
        while not over.wait(READ_EVERY_S):
            cursor = live.since(run_id, cursor).cursor
        used_s.append(time.thread_time())

    threads = [threading.Thread(target=follow) for _ in range(pages)]
    for thread in threads:
        thread.start()
    yield
    over.set()
    for thread in threads:
        thread.join()


def cpu_of_a_run(size: int, pages: int) -> tuple[float, float]:
    """Seconds of CPU of this process for one run, and what the threads of the pages used of it."""
    used_s: list[float] = []
    with EmbeddedEngine(MemoryHome(), [layered(size)]) as engine:
        engine.tasks()
        # A collection of everything takes a tenth of a second: it belongs to the run before.
        gc.collect()
        begin = time.process_time()
        answer = engine.invoke(InvokeTask(task="all"))
        assert isinstance(answer, Invoked)
        with followed(engine, answer.run_id, pages, used_s):
            is_over = ("completed", "error")
            engine.stay_up(lambda: engine.runs(1)[0].state in is_over)
        return time.process_time() - begin, sum(used_s)


def main() -> None:
    """Print the medians, the least, and the share of the pages' threads."""
    size = int(sys.argv[1]) if len(sys.argv) > 1 else 9_000
    pages = int(sys.argv[2]) if len(sys.argv) > 2 else 1
    alone: list[float] = []
    attached: list[float] = []
    used: list[float] = []
    for _ in range(ROUNDS):
        alone.append(cpu_of_a_run(size, 0)[0])
        for times, seconds in zip((attached, used), cpu_of_a_run(size, pages), strict=True):
            times.append(seconds)
    for name, of in (("median", statistics.median), ("least", min)):
        without, followed_by = of(alone), of(attached)
        ratio = 100 * (followed_by / without - 1)
        print(
            f"{name}: {size} tasks: {without:.2f} s of CPU alone, "
            f"{followed_by:.2f} s with {pages} pages: {ratio:+.1f} %"
        )
    own = statistics.median(used)
    share = 100 * statistics.median(part / whole for part, whole in zip(used, alone, strict=True))
    print(f"the threads of the pages: {own:.2f} s, {share:.1f} % of the run alone")


if __name__ == "__main__":
    main()
