"""Figures of the engine on a laptop, each beside what it must reach, in one run.

    python bench/laptop.py              all figures
    python bench/laptop.py floods home  only these

The engine with bodies in processes beside the one with threads and Luigi, whole commands, CPU-bound
bodies, output, and a large home. The last column is the share of the limit: above 100 % is missed.
Machines differ, so quote the ratios of one run, and of a machine that does nothing else.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from graphs import GRAPHS

from cerebro.core.model.plan import Plan, PlannedTask
from cerebro.core.model.run import Run
from cerebro.embedded.embedded_engine import EmbeddedEngine
from cerebro.embedded.engine import spec_of
from cerebro.embedded.storage.home import DiskHome
from cordyna_cli.engine import Invoked
from cordyna_core.contract.commands import InvokeTask
from cordyna_core.contract.ids import SCHEDULER
from embedded import measure

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


@dataclass(frozen=True)
class Figure:
    """One row: what was measured, and the most that it may be, if there is a limit."""

    title: str
    measured: float
    limit: float | None
    unit: str


def seconds(action: Callable[[], object]) -> float:
    """Return how long an action takes."""
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


def best(action: Callable[[], object], times: int = 3) -> float:
    """Return the shortest of several times: the others had company."""
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


MS_PER_TASK_MAX = {
    "chain of 100": {"memory": 1.3, "SQLite": 1.7},
    "1-200-1": {"memory": 0.8, "SQLite": 1.0},
    "500 tasks, 1,500 edges": {"memory": 0.8, "SQLite": 1.0},
}
TIMES_OF_THREADS_MAX = {"memory": 2.5, "SQLite": 2.0}


def beside_threads() -> Iterator[Figure]:
    """Time per task with bodies in processes, also as ratios to threads and to Luigi."""
    for graph, limits in MS_PER_TASK_MAX.items():
        times = measure(GRAPHS[graph]())
        for home, limit in limits.items():
            processes, threads = times[f"processes, {home}"], times[f"threads, {home}"]
            yield Figure(f"{graph}, {home}", processes, limit, "ms a task")
            yield Figure("  of threads", processes / threads, TIMES_OF_THREADS_MAX[home], "x")
            yield Figure("  of Luigi", processes / times["Luigi, memory"], None, "x")


def whole_command() -> Iterator[Figure]:
    """`dyna do task-3`, set up before."""
    with tempfile.TemporaryDirectory() as name:
        dyna(Path(name), "do", "task-3")
        taken = best(lambda: dyna(Path(name), "do", "task-3"))
    yield Figure("dyna do task-3, whole process", taken, 1.0, "s")


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


def cpu_bound() -> Iterator[Figure]:
    """Four bodies that compute for a second each, beside four bare forks."""
    with tempfile.TemporaryDirectory() as name, engine_of(Path(name), bench=SERVER) as engine:
        run(engine, "spin", s=0.01)
        bare = best(bare_forks, 2)
        bodies = best(lambda: run(engine, "spin-all"), 2)
    yield Figure("4 CPU-bound bodies, of bare forks", bodies / bare, 1.3, "x")


LINES = 100_000


def printed_lines() -> Iterator[Figure]:
    """Measure a body that prints 100,000 lines, until all are stored.

    Then the first two of them by command.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with engine_of(folder, bench=SERVER) as engine:
            few = run(engine, "lines", n=2)
            run_ids: list[str] = []
            taken = best(lambda: run_ids.append(run(engine, "lines", n=LINES)))
            stored = sum(1 for _ in engine.iter_logs(run_ids[-1]))
        assert stored == LINES, stored
        head = {
            run_id: best(lambda r=run_id: first_lines(folder / "home", r))  # type: ignore[misc]
            for run_id in (few, run_ids[-1])
        }
    yield Figure("100,000 lines printed and stored", taken, 3.0, "s")
    more = head[run_ids[-1]] - head[few]
    yield Figure("dyna logs | head -2, more than of two", more, 0.3, "s")


def first_lines(home: Path, run_id: str) -> None:
    """The first two lines of a log, as whole commands in a pipe."""
    shown = subprocess.run(
        [f"{DYNA} --home {home} logs {run_id} | head -2"],
        shell=True,
        cwd=PROJECT,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    ).stdout
    assert [line.split()[-1] for line in shown.splitlines()] == ["0", "1"], shown


def beside_floods() -> Iterator[Figure]:
    """Yield a quick task of another server, while 15 bodies print without a pause."""
    with (
        tempfile.TemporaryDirectory() as name,
        engine_of(Path(name), bench=SERVER, innocent=INNOCENT) as engine,
    ):
        run(engine, "quick")
        for _ in range(15):
            engine.invoke(InvokeTask(task="flood"), detached=True)
        time.sleep(1)
        times = sorted(seconds(lambda: run(engine, "quick")) for _ in range(20))
    yield Figure("a body beside 15 floods, median", 1000 * times[10], 100, "ms")
    yield Figure("a body beside 15 floods, worst", 1000 * times[-1], 100, "ms")


def large_home() -> Iterator[Figure]:
    """Commands on a home of 100,000 runs that a cron invoked, beside an empty one."""
    with tempfile.TemporaryDirectory() as name:
        empty, full = Path(name) / "empty", Path(name) / "full"
        for folder in (empty, full):
            dyna(folder, "do", "task-1")
        fill(full)
        for command in ("runs", "show", "do task-1 --new"):
            times = {
                folder: best(lambda f=folder, c=command: dyna(f, *c.split()))  # type: ignore[misc]
                for folder in (empty, full)
            }
            title = f"dyna {command}, more than empty"
            yield Figure(title, times[full] - times[empty], 0.5, "s")


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
                    # Newer than the run of a person, which `show` looks for.
                    created_at=now + number / RUNS,
                    cause="bench",
                    status="completed",
                    source=SCHEDULER,
                )
                home.store.write_run(added, None)
                home.event_log.append(added.id, json.dumps({"n": number}), now)
    home.close()


MEASUREMENTS = {
    "threads": beside_threads,
    "command": whole_command,
    "cpu": cpu_bound,
    "lines": printed_lines,
    "floods": beside_floods,
    "home": large_home,
}


def main() -> None:
    """Print one row per figure."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", choices=[*MEASUREMENTS, []], metavar="NAME")
    names = parser.parse_args().names or list(MEASUREMENTS)
    for name in names:
        for figure in MEASUREMENTS[name]():
            row = f"{figure.title:40}{figure.measured:8.2f} {figure.unit:11}"
            if figure.limit is not None:
                share = figure.measured / figure.limit
                row += f"at most {figure.limit:6.1f} {figure.unit:11}{share:6.0%}"
            print(row, flush=True)


if __name__ == "__main__":
    main()
