"""How much slower a run is while a page follows it: CPU of the process, with and without.

`python bench/console_attached.py [TASKS [PAGES]]`: runs in turn with no follower and with the
streams of some pages, and prints the medians, and the least of each, which other programs of the
machine disturb least. Budget: 5 %.
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
    """A server with `size` tasks in layers, and one that needs them all."""
    server = TaskServer("bench")
    width = max(1, size // LAYERS)
    for index in range(size):
        needs = [f"t{index - width}"] if index >= width else []
        server.task(name=f"t{index}", upstream=needs)(lambda: None)
    server.task(name="all", upstream=[f"t{index}" for index in range(size)])(lambda: None)
    return server


@contextmanager
def followed(engine: EmbeddedEngine, run_id: str, pages: int) -> Iterator[None]:
    """Let pages follow the run until the block ends."""
    identity = ConsoleIdentity(engine="embedded", where="", command="dyna", by="")
    console = Console(engine=engine, identity=identity, now=lambda: datetime.now(UTC))
    live = LiveRuns(lambda run, since: reading(console, engine.facts(run, since=since)))
    over = threading.Event()

    def follow() -> None:
        cursor = None
        while not over.wait(READ_EVERY_S):
            cursor = live.since(run_id, cursor).cursor

    threads = [threading.Thread(target=follow) for _ in range(pages)]
    for thread in threads:
        thread.start()
    yield
    over.set()
    for thread in threads:
        thread.join()


def cpu_of_a_run(size: int, pages: int) -> float:
    """Seconds of CPU of this process for one run."""
    with EmbeddedEngine(MemoryHome(), [layered(size)]) as engine:
        engine.tasks()
        # A collection of everything takes a tenth of a second: it belongs to the run before.
        gc.collect()
        begin = time.process_time()
        answer = engine.invoke(InvokeTask(task="all"))
        assert isinstance(answer, Invoked)
        with followed(engine, answer.run_id, pages):
            is_over = ("completed", "error")
            engine.stay_up(lambda: engine.runs(1)[0].state in is_over)
        return time.process_time() - begin


def main() -> None:
    """Print the medians, and the least."""
    size = int(sys.argv[1]) if len(sys.argv) > 1 else 9_000
    pages = int(sys.argv[2]) if len(sys.argv) > 2 else 1
    alone, attached = [], []
    for _ in range(ROUNDS):
        alone.append(cpu_of_a_run(size, 0))
        attached.append(cpu_of_a_run(size, pages))
    for name, of in (("median", statistics.median), ("least", min)):
        without, followed_by = of(alone), of(attached)
        ratio = 100 * (followed_by / without - 1)
        print(
            f"{name}: {size} tasks: {without:.2f} s of CPU alone, "
            f"{followed_by:.2f} s with {pages} pages: {ratio:+.1f} %"
        )


if __name__ == "__main__":
    main()
