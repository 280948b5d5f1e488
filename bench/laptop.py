"""Figures of the engine on a laptop: whole commands, CPU-bound bodies, output, a large home.

    python bench/laptop.py            the table
    python bench/laptop.py --soak 600 three servers with crons, reloads and failures for 600 s

Each figure is printed beside its target. Quote ratios of one run: machines differ.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cerebro.core.model import Plan, PlannedTask, Run
from cerebro.embedded.embedded_engine import EmbeddedEngine
from cerebro.embedded.engine import spec_of
from cerebro.embedded.storage.home import DiskHome
from cordyna_cli.engine import Invoked
from cordyna_core.contract.commands import InvokeTask

DYNA = str(Path(sys.executable).with_name("dyna"))
PROJECT = Path(__file__).parents[1]
RUNS = 100_000

SERVER = """
import time
from cordyna_core import TaskServer

server = TaskServer("bench", concurrency=32)

@server.task
def spin(s: float) -> None:
    end = time.process_time() + s
    while time.process_time() < end:
        pass

@server.task
def lines(n: int) -> None:
    for number in range(n):
        print("line", number)

@server.task
def flood() -> None:
    end = time.monotonic() + 8
    while time.monotonic() < end:
        print("x" * 200)

for number in range(4):
    server.task(name=f"spin-{number}")(lambda: spin(1.0))
server.task(name="spin-all", upstream=[f"spin-{number}" for number in range(4)])(lambda: None)
"""

INNOCENT = """
from cordyna_core import TaskServer
server = TaskServer("innocent")
server.task(name="quick")(lambda: 1)
"""

RESTLESS = """
import random
from cordyna_core import TaskServer
server = TaskServer("NAME")

@server.task(cron="* * * * *", retries=1)
def tick_NAME() -> str:
    print("x" * 1000)
    if random.random() < 0.3:
        raise ValueError("sometimes")
    return "y" * 1000
# CHANGE
"""


@dataclass(frozen=True)
class Figure:
    """One row: what was measured, and what it must reach."""

    title: str
    measured: str
    required: str


def seconds(action: Callable[[], object]) -> float:
    """How long an action takes."""
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


def best(action: Callable[[], object], times: int = 3) -> float:
    """The shortest of several times: the others had company."""
    return min(seconds(action) for _ in range(times))


def dyna(folder: Path, *arguments: str) -> None:
    """A whole command, as a process of its own."""
    subprocess.run(
        [DYNA, *arguments],
        cwd=PROJECT,
        env={**os.environ, "CORDYNA_HOME": str(folder)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        check=True,
    )


@contextmanager
def engine_of(folder: Path, **sources: str) -> Iterator[EmbeddedEngine]:
    """An engine with these servers in processes of their own."""
    targets = []
    for name, source in sources.items():
        path = folder / f"{name}.py"
        path.write_text(source)
        targets.append(str(path))
    specs = {target: spec_of(target) for target in targets}
    with EmbeddedEngine(DiskHome(folder / "home"), specs=specs) as engine:
        engine.tasks()
        yield engine


def run(engine: EmbeddedEngine, task: str, **params: object) -> str:
    """Run a task to its end. Returns the run's id."""
    invoked = engine.invoke(InvokeTask(task=task, params=params))
    assert isinstance(invoked, Invoked), invoked
    for _ in engine.follow(invoked.run_id):
        pass
    return invoked.run_id


def whole_command() -> Figure:
    """`dyna do task-3`, set up before."""
    with tempfile.TemporaryDirectory() as name:
        dyna(Path(name), "do", "task-3")
        taken = best(lambda: dyna(Path(name), "do", "task-3"))
    return Figure("dyna do task-3, whole process", f"{taken:.2f} s", "under 1 s")


def bare_forks() -> None:
    """Four forks that compute for a second each."""
    children = []
    for _ in range(4):
        child = os.fork()
        if child == 0:
            end = time.process_time() + 1.0
            while time.process_time() < end:
                pass
            os._exit(0)
        children.append(child)
    for child in children:
        os.waitpid(child, 0)


def cpu_bound() -> Figure:
    """Four bodies that compute for a second each."""
    with tempfile.TemporaryDirectory() as name, engine_of(Path(name), bench=SERVER) as engine:
        run(engine, "spin", s=0.01)
        bare = best(bare_forks, 2)
        bodies = best(lambda: run(engine, "spin-all"), 2)
    text = f"{bodies:.2f} s, {bodies / bare:.2f} x bare forks"
    return Figure("4 CPU-bound bodies of 1 s", text, "at most 1.3 x")


def printed_lines() -> Figure:
    """A body that prints 100,000 lines, until its run has ended and all is stored."""
    with tempfile.TemporaryDirectory() as name, engine_of(Path(name), bench=SERVER) as engine:
        run(engine, "lines", n=10)
        run_ids: list[str] = []
        taken = best(lambda: run_ids.append(run(engine, "lines", n=100_000)))
        stored = sum(1 for _ in engine.iter_logs(run_ids[-1]))
        first = best(lambda: next(engine.iter_logs(run_ids[-1])))
    assert stored == 100_000, stored
    text = f"{taken:.2f} s; its first line after {1000 * first:.0f} ms"
    return Figure("100,000 lines printed", text, "under 3 s; 300 ms")


def beside_floods() -> Figure:
    """A quick task of another server, while 15 bodies print without a pause."""
    with (
        tempfile.TemporaryDirectory() as name,
        engine_of(Path(name), bench=SERVER, innocent=INNOCENT) as engine,
    ):
        run(engine, "quick")
        for _ in range(15):
            engine.invoke(InvokeTask(task="flood"), detached=True)
        time.sleep(1)
        times = sorted(seconds(lambda: run(engine, "quick")) for _ in range(20))
    text = f"median {1000 * times[10]:.0f} ms, worst {1000 * times[-1]:.0f} ms"
    return Figure("an innocent body beside 15 floods", text, "within 100 ms")


def large_home() -> Figure:
    """Commands on a home of 100,000 runs, beside an empty one."""
    with tempfile.TemporaryDirectory() as name:
        empty, full = Path(name) / "empty", Path(name) / "full"
        for folder in (empty, full):
            dyna(folder, "do", "task-1")
        fill(full)
        more = {
            command: best(lambda c=command: dyna(full, *c.split()))  # type: ignore[misc]
            - best(lambda c=command: dyna(empty, *c.split()))  # type: ignore[misc]
            for command in ("runs", "show", "do task-1 --new")
        }
    text = ", ".join(f"{command} {difference:+.2f} s" for command, difference in more.items())
    return Figure("a home of 100,000 runs", text, "at most +0.5 s")


def fill(folder: Path) -> None:
    """Add completed runs to a home."""
    home = DiskHome(folder)
    plan = Plan((PlannedTask(name="old", server="s"),))
    now = time.time()
    for start in range(0, RUNS, 1000):
        with home.transaction():
            home.store.write_plan(plan)
            for number in range(start, start + 1000):
                added = Run(
                    id=f"R{number:025}",
                    task="old",
                    plan_id=plan.id,
                    created_at=now - RUNS + number,
                    cause="bench",
                    status="completed",
                )
                home.store.write_run(added, None)
                home.event_log.append(added.id, json.dumps({"n": number}), now)
    home.close()


def soak(duration_s: float) -> None:
    """Three servers with crons, failures and reloads: memory and file size over time."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        sources = {f"s{n}": RESTLESS.replace("NAME", f"s{n}") for n in range(3)}
        with engine_of(folder, **sources) as engine:
            stop = threading.Event()
            consumer = threading.Thread(target=consume, args=(engine, stop))
            consumer.start()
            began = time.monotonic()
            while (passed := time.monotonic() - began) < duration_s:
                for server, source in sources.items():
                    path = folder / f"{server}.py"
                    path.write_text(source.replace("CHANGE", str(passed)))
                    run(engine, f"tick-{server}")
                engine.operations.prune(60)
                sys.stdout.write(
                    f"{passed:6.0f} s  {memory_mb():7.1f} MB  {size_mb(folder):7.2f} MB\n"
                )
                sys.stdout.flush()
                time.sleep(min(10.0, duration_s / 20))
            stop.set()
            run(engine, "tick-s0")
            consumer.join()


def consume(engine: EmbeddedEngine, stop: threading.Event) -> None:
    """Fire crons and reload servers, as `dyna dev` does."""
    for _ in engine.dev():
        if stop.is_set():
            return


def memory_mb() -> float:
    """The resident memory of this process, which is the engine."""
    fields = Path("/proc/self/statm").read_text().split()
    return int(fields[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


def size_mb(folder: Path) -> float:
    """The size of a home."""
    return sum(path.stat().st_size for path in (folder / "home").iterdir()) / 1e6


def main() -> None:
    """Print one row per figure, or soak."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--soak", type=float, metavar="SECONDS")
    arguments = parser.parse_args()
    if arguments.soak is not None:
        soak(arguments.soak)
        return
    for measure in (whole_command, cpu_bound, printed_lines, beside_floods, large_home):
        figure = measure()
        print(f"{figure.title:36}{figure.measured:60}{figure.required}", flush=True)


if __name__ == "__main__":
    main()
