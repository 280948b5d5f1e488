"""Time per task of the embedded engine, with the whole protocol, beside Luigi.

    make bench                            the table
    python bench/embedded.py --profile    the table, and a profile of cordyna

Every message is built, encoded to JSON, decoded and validated, as on AWS. Bodies run in processes
of their own, as for `dyna do`, or in threads. They do nothing, so orchestration is measured. The
contenders take turns, so that noise of the machine hits all of them; quote medians and ratios, not
single times.
"""

import argparse
import cProfile
import json
import logging
import pstats
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import luigi
from graphs import GRAPHS, Graph
from one_thread import run_in_one_thread

from cerebro.embedded.embedded_engine import EmbeddedEngine
from cerebro.embedded.engine import spec_of
from cerebro.embedded.storage.home import DiskHome, MemoryHome
from cordyna_cli.engine import Invoked
from cordyna_core import TaskServer
from cordyna_core.contract.commands import InvokeTask
from cordyna_core.worker.spec import ServerSpec

TURNS = 7
SERVERS = 2

Contender = Callable[[], float]
"""Runs a graph once; returns seconds."""


def cordyna_servers(graph: Graph) -> list[TaskServer]:
    """Return the graph's tasks, alternating between two servers."""
    servers = [TaskServer(f"server-{n}") for n in range(SERVERS)]
    for n, (name, upstream) in enumerate(graph.items()):
        servers[n % SERVERS].task(name=name, upstream=upstream)(lambda: None)
    return servers


SERVER_SOURCE = """
import json
from pathlib import Path
from cordyna_core import TaskServer

servers = [TaskServer(f"server-{n}") for n in range(COUNT)]
graph = json.loads(Path(__file__).with_name("graph.json").read_text())
for n, (name, upstream) in enumerate(graph.items()):
    servers[n % COUNT].task(name=name, upstream=upstream)(lambda: None)
"""


def cordyna_specs(graph: Graph, folder: Path) -> dict[str, ServerSpec]:
    """Return the same servers as files, each in a process of its own."""
    (folder / "graph.json").write_text(json.dumps(graph))
    names = "".join(f"server_{n} = servers[{n}]\n" for n in range(SERVERS))
    (folder / "servers.py").write_text(SERVER_SOURCE.replace("COUNT", str(SERVERS)) + names)
    targets = [f"{folder / 'servers.py'}:server_{n}" for n in range(SERVERS)]
    return {target: spec_of(target) for target in targets}


@contextmanager
def cordyna(
    graph: Graph, home: MemoryHome | DiskHome, specs: dict[str, ServerSpec] | None = None
) -> Iterator[Contender]:
    """One engine that stays open, as that of `dyna dev`; each turn is a new run.

    With `specs`, bodies run in processes; without, in threads.
    """
    target = list(graph)[-1]
    servers = () if specs is not None else cordyna_servers(graph)
    with EmbeddedEngine(home, servers, specs=specs) as engine:

        def turn() -> float:
            start = time.perf_counter()
            invoked = engine.invoke(InvokeTask(task=target))
            assert isinstance(invoked, Invoked), invoked
            *_, view = engine.follow(invoked.run_id)
            elapsed = time.perf_counter() - start
            assert view.state == "completed", view.state
            return elapsed

        yield turn


def luigi_turn(graph: Graph) -> Contender:
    """Luigi's local scheduler with one worker; completed tasks are kept in memory."""
    logging.getLogger("luigi").setLevel(logging.CRITICAL)
    done: set[tuple[int, str]] = set()
    turns = iter(range(1_000_000))

    class Node(luigi.Task):  # type: ignore[misc]
        name = luigi.Parameter()
        turn = luigi.IntParameter()

        def requires(self) -> list["Node"]:
            return [Node(name=upstream, turn=self.turn) for upstream in graph[self.name]]

        def run(self) -> None:
            done.add((self.turn, self.name))

        def complete(self) -> bool:
            return (self.turn, self.name) in done

    def turn() -> float:
        root = Node(name=list(graph)[-1], turn=next(turns))
        start = time.perf_counter()
        assert luigi.build([root], local_scheduler=True, workers=1, log_level="CRITICAL")
        return time.perf_counter() - start

    return turn


def measure(graph: Graph) -> dict[str, float]:
    """Return median ms per task of each contender."""
    with tempfile.TemporaryDirectory() as directory, ExitStack() as stack:
        folder = Path(directory)
        specs = cordyna_specs(graph, folder)
        engines = {
            "processes, memory": cordyna(graph, MemoryHome(), specs),
            "processes, SQLite": cordyna(graph, DiskHome(folder / "processes"), specs),
            "threads, memory": cordyna(graph, MemoryHome()),
            "threads, SQLite": cordyna(graph, DiskHome(folder / "threads")),
        }
        contenders = {title: stack.enter_context(engine) for title, engine in engines.items()}
        contenders["Luigi, memory"] = luigi_turn(graph)
        for contender in contenders.values():
            contender()  # warm
        times: dict[str, list[float]] = {name: [] for name in contenders}
        for _ in range(TURNS):
            for name, contender in contenders.items():
                times[name].append(contender())
    return {name: statistics.median(samples) * 1000 / len(graph) for name, samples in times.items()}


def report() -> None:
    """Print one row per contender and one column per graph.

    In parentheses the ratio to cordyna with threads, in memory.
    """
    figures = {title: measure(make()) for title, make in GRAPHS.items()}
    print(f"{'ms per task':18}" + "".join(f"{title:>28}" for title in figures))
    for name in next(iter(figures.values())):
        cells = [
            f"{column[name]:.3f} ({column[name] / column['threads, memory']:4.1f} x)"
            for column in figures.values()
        ]
        print(f"{name:18}" + "".join(f"{cell:>28}" for cell in cells))


def profile() -> None:
    """Print a profile of the engine and its bodies on the layered graph, driven in one thread."""
    graph = GRAPHS["500 tasks, 1,500 edges"]()
    run = run_in_one_thread(graph, cordyna_servers(graph))
    run()
    profiler = cProfile.Profile()
    profiler.runcall(run)
    pstats.Stats(profiler).sort_stats("tottime").print_stats(25)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--profile", action="store_true")
    arguments = parser.parse_args()
    report()
    if arguments.profile:
        profile()
