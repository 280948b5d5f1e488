"""Measure the worker host: round trips, output, CPU-bound bodies, and the host's start.

    python bench/workers.py

All figures come from one run. Where a figure has a limit, the last column is the share of it that
was used; bench/laptop.py has the figures of whole commands.
"""

import os
import select
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from cordyna_core.contract.commands import RunTask
from cordyna_core.contract.time import utc
from cordyna_core.worker.pool import host_process
from cordyna_core.worker.pool.events import Busy, Declared, Event, OutputLines, StateUpdate
from cordyna_core.worker.pool.pool import WorkerPool
from cordyna_core.worker.spec import ServerSpec

_SERVER: Final = """
from cordyna_core import TaskServer
server = TaskServer("bench")
@server.task
def noop() -> None: ...
@server.task
def lines(n: int) -> None:
    for number in range(n): print("line", number)
@server.task
def spin(n: int) -> None:
    total = 0
    for number in range(n): total += number
"""
_SPIN: Final = 12_000_000
LINES: Final = 100_000


class Bench:
    """A pool with one server."""

    def __init__(self, folder: Path) -> None:
        target = folder / "bench_server.py"
        target.write_text(_SERVER)
        self.pool = WorkerPool(token=f"bench-{os.getpid()}")
        self.pool.start([ServerSpec(str(target))])
        self._count = 0
        self.lines = 0
        self._until(lambda event: isinstance(event, Declared), 1)

    def run(self, task: str, times: int, *, together: bool, **params: int) -> float:
        """Return seconds for this many attempts, one after another or all at once."""
        commands = [self._command(task, params) for _ in range(times)]
        began = time.perf_counter()
        for command in commands:
            self.pool.run(command)
            if not together:
                self._until_completed(1)
        if together:
            self._until_completed(times)
        return time.perf_counter() - began

    def cpu(self, task: str, times: int, *, together: bool) -> tuple[float, float, float]:
        """Seconds of CPU for this many attempts: of this process, the host, and the server."""
        pids = [self.pool.host_pid, *self._server_pids()]
        before = [time.process_time(), *map(_cpu_of, pids)]
        self.run(task, times, together=together)
        used = [now - then for now, then in zip(
            [time.process_time(), *map(_cpu_of, pids)], before, strict=True,
        )]  # fmt: skip
        return used[0], used[1], sum(used[2:])

    def _server_pids(self) -> tuple[int, ...]:
        self.pool.request_busy()
        while True:
            select.select([self.pool], [], [], self.pool.next_poll_s())
            for event in self.pool.receive():
                if isinstance(event, Busy):
                    return event.servers[0].pids

    def _command(self, task: str, params: dict[str, int]) -> RunTask:
        self._count += 1
        now = time.time()
        return RunTask(
            server="bench", run_id=f"{self._count:026d}", task=task, attempt=1, params=params,
            ack_by=utc(now + 600), start_by=utc(now + 600),
        )  # fmt: skip

    def _until_completed(self, count: int) -> None:
        self._until(lambda event: isinstance(event, StateUpdate) and event.is_final, count)

    def _until(self, is_counted: Callable[[Event], bool], count: int) -> None:
        while count:
            select.select([self.pool], [], [], self.pool.next_poll_s())
            for event in self.pool.receive():
                count -= is_counted(event)
                if isinstance(event, OutputLines):
                    self.lines += event.text.count("\n")


def _cpu_of(pid: int) -> float:
    """Return seconds of CPU of a process (Linux)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def bare_forks(count: int) -> float:
    """Return seconds for the same computation in processes without any host."""
    began = time.perf_counter()
    pids = []
    for _ in range(count):
        pid = os.fork()
        if pid == 0:
            total = 0
            for number in range(_SPIN):
                total += number
            os._exit(0)
        pids.append(pid)
    for pid in pids:
        os.waitpid(pid, 0)
    return time.perf_counter() - began


def host_start() -> float:
    """Seconds until a Python without site packages has imported the host, beyond a bare one."""
    sources = str(Path(host_process.__file__).parents[3])
    code = f"import sys; sys.path.append({sources!r}); import cordyna_core.worker.host.host"
    return _best(lambda: _python(code)) - _best(lambda: _python("pass"))


def _python(code: str) -> float:
    began = time.perf_counter()
    subprocess.run([sys.executable, "-I", "-S", "-c", code], check=True)
    return time.perf_counter() - began


def _best(measure: Callable[[], float]) -> float:
    return min(measure() for _ in range(5))


def show(title: str, measured: float, unit: str, limit: float | None = None) -> None:
    """Print a figure, and its share of the limit."""
    share = "" if limit is None else f", at most {limit:g}: {measured / limit:.0%}"
    print(f"{title:26}{measured:8.2f} {unit}{share}", flush=True)


def main() -> None:
    show("imports of the host", host_start() * 1000, "ms beyond a bare interpreter")
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Path(folder))
        try:
            bench.run("noop", 200, together=True)
            one = _best(lambda: bench.run("noop", 500, together=False)) / 500
            many = _best(lambda: bench.run("noop", 500, together=True)) / 500
            show("no-op, one after another", one * 1000, "ms per attempt")
            show("no-op, 500 at once", many * 1000, "ms per attempt")
            for name, together in (("one after another", False), ("at once", True)):
                used = min((bench.cpu("noop", 1000, together=together) for _ in range(3)), key=sum)
                shares = "engine {:.2f}, host {:.2f}, bodies {:.2f}".format(*used)
                show(f"no-op, {name}", sum(used), f"ms of CPU: {shares}")
            took = bench.run("lines", 1, together=True, n=LINES)
            assert bench.lines == LINES, bench.lines
            show("100,000 lines", took, "s", limit=3.0)
            bare = bare_forks(4)
            bodies = bench.run("spin", 4, together=True, n=_SPIN)
            show("4 CPU-bound bodies", bodies / bare, "x bare forks", limit=1.3)
        finally:
            bench.pool.close()


if __name__ == "__main__":
    main()
