"""Soak: `dyna dev` of three servers with crons, reloads and failures. Is memory and file size flat?

    python bench/soak.py --minutes 10

A client invokes a run about every second and cancels some; server files are changed every 15
seconds, some of them into files that do not load; what ended a minute ago is pruned. Each minute is
a row: resident memory of the engine, of the host and of all server processes, and the size of the
home's file. After a warm-up, the minutes that were asked for are judged: the last lines are their
slopes, in KB a minute; it fails if one of the engine, the host or the file is above its limit.
"""

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Final

from cerebro.embedded.embedded_engine import EmbeddedEngine
from cerebro.embedded.storage.home import DiskHome
from cordyna_cli.engine import Invoked
from cordyna_core.contract.commands import CancelRun, InvokeTask
from cordyna_core.errors import UserError
from cordyna_core.worker.processes import children_of, descendants_of

DYNA: Final = str(Path(sys.executable).with_name("dyna"))
RELOAD_INTERVAL_S: Final = 15.0
PRUNE_INTERVAL_S: Final = 10.0
KEPT_S: Final = 60.0
WARM_UP_MIN: Final = 8
"""Minutes that are not judged: meanwhile the caches of the engine fill, 2 MB in all.

They are the pages of SQLite, and the last 100 runs. Collected objects are as many after 2 minutes
as after 14.
"""

SLOPE_MAX_KB: Final = {"engine": 100.0, "host": 100.0, "file": 300.0}
"""KB a minute. With some 60 runs a minute that is 1.7 KB a run; one of its events has 0.5 KB.

The file is let grow more: how much of it is free when it is measured depends on the last pruning.
"""

SERVERS: Final = {
    "steady": """
from cordyna_core import TaskServer
server = TaskServer("steady", concurrency=4)

@server.task(cron="* * * * *")
def extract() -> dict:
    print("extracting")
    return {"rows": [1] * 200}

@server.task(upstream=["extract"], cron="* * * * *")
def load() -> int:
    return 1
""",
    "flaky": """
import os, random, signal
from cordyna_core import TaskServer
server = TaskServer("flaky", concurrency=4)

@server.task(retries=2, upstream=["extract"], cron="* * * * *")
def score() -> str:
    ways = [lambda: 1 / 0, lambda: os._exit(3), lambda: os.kill(os.getpid(), signal.SIGKILL)]
    if random.random() < 0.5:
        random.choice(ways)()
    return "x" * 2000
""",
    "loud": """
import os, random, time
from cordyna_core import Context, TaskServer
server = TaskServer("loud", concurrency=4)

@server.task(upstream=["score"])
def report(*, ctx: Context) -> None:
    for number in range(300):
        print("line", number)
    ctx.progress(0.5, "half")
    os.environ[f"N{random.randrange(9)}"] = "unclean"
    if random.random() < 0.2:
        time.sleep(1)
""",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """Kilobytes."""

    engine: float
    host: float
    bodies: float
    file: float


class Soak:
    """One home under load."""

    def __init__(self, folder: Path, seed: int) -> None:
        self._folder, self._random = folder, random.Random(seed)
        self._home = folder / "home"
        self._recent: list[str] = []
        self.counts = {"runs": 0, "cancelled": 0, "reloads": 0, "pruned": 0, "unanswered": 0}

    def run(self, minutes: int) -> list[Sample]:
        """Run for so long after the warm-up. Returns a sample a minute, from the beginning."""
        for name, source in SERVERS.items():
            self._write(name, source)
        driver = self._start_driver()
        samples: list[Sample] = []
        began = time.monotonic()
        reload_at, prune_at, sample_at = began + RELOAD_INTERVAL_S, began, began + 60.0
        try:
            while len(samples) < WARM_UP_MIN + minutes:
                assert driver.poll() is None, (self._folder / "dev.log").read_text()[-2000:]
                self._act()
                now = time.monotonic()
                if now >= reload_at:
                    reload_at += RELOAD_INTERVAL_S
                    self._change_a_file()
                if now >= prune_at:
                    prune_at += PRUNE_INTERVAL_S
                    self._prune()
                if now >= sample_at:
                    sample_at += 60.0
                    samples.append(self._sample(driver.pid))
                    print(_row(len(samples), samples[-1]), flush=True)
                time.sleep(0.3 + self._random.random())
        finally:
            driver.send_signal(signal.SIGTERM)
            driver.wait(timeout=60)
        return samples

    def _start_driver(self) -> subprocess.Popen[bytes]:
        named = [part for name in SERVERS for part in ("--server", f"{name}/{name}.py")]
        with (self._folder / "dev.log").open("wb") as log:
            return subprocess.Popen(
                [DYNA, *named, "dev", "--no-page"],
                cwd=self._folder,
                env={**os.environ, "CORDYNA_HOME": str(self._home)},
                stdout=log,
                stderr=log,
            )

    def _write(self, name: str, source: str) -> None:
        # A folder for each, so that a change reloads one server.
        (self._folder / name).mkdir(exist_ok=True)
        (self._folder / name / f"{name}.py").write_text(source)

    def _act(self) -> None:
        with EmbeddedEngine(DiskHome(self._home), []) as engine:
            try:
                if self._recent and self._random.random() < 0.1:
                    refused = engine.command(CancelRun(run_id=self._recent[-1]), wait_s=10)
                    self.counts["cancelled"] += refused is None
                    return
                invoked = engine.invoke(InvokeTask(task="report"), detached=True, wait_s=10)
            except UserError:
                self.counts["unanswered"] += 1
                return
        if isinstance(invoked, Invoked):
            self.counts["runs"] += 1
            self._recent = [*self._recent[-3:], invoked.run_id]

    def _change_a_file(self) -> None:
        name = self._random.choice(sorted(SERVERS))
        broken = "raise ImportError('it is being edited')\n" if self._random.random() < 0.3 else ""
        self._write(name, f"# version {time.time()}\n{broken}{SERVERS[name]}")
        self.counts["reloads"] += 1

    def _prune(self) -> None:
        with EmbeddedEngine(DiskHome(self._home), []) as engine:
            self.counts["pruned"] += engine.operations.prune(KEPT_S)

    def _sample(self, engine: int) -> Sample:
        (host,) = [pid for pid in children_of(engine) if _rss_kb(pid)]
        return Sample(
            engine=_rss_kb(engine),
            host=_rss_kb(host),
            bodies=sum(map(_rss_kb, descendants_of([host]))),
            file=sum(path.stat().st_size for path in self._home.glob("cordyna.db*")) / 1024,
        )


def _rss_kb(pid: int) -> float:
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:  # it has ended meanwhile
        return 0.0
    return next(
        (float(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS")), 0.0
    )


def _row(minute: int, sample: Sample) -> str:
    values = "".join(f"{getattr(sample, field.name):10.0f}" for field in fields(Sample))
    return f"{minute:6}{values}"


def slope(values: Sequence[float]) -> float:
    """Return the least-squares slope over equal steps."""
    middle, mean = (len(values) - 1) / 2, sum(values) / len(values)
    spread = sum((at - middle) ** 2 for at in range(len(values)))
    return sum((at - middle) * (value - mean) for at, value in enumerate(values)) / (spread or 1)


def main() -> int:
    """Run the soak. Returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=int, default=10, help="after the warm-up")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        soak = Soak(Path(folder), arguments.seed)
        print("minute" + "".join(f"{field.name:>10}" for field in fields(Sample)) + "   KB")
        samples = soak.run(arguments.minutes)
    print(", ".join(f"{name} {count}" for name, count in soak.counts.items()))
    failed = 0
    for field in fields(Sample):
        found = slope([getattr(sample, field.name) for sample in samples[WARM_UP_MIN - 1 :]])
        limit = SLOPE_MAX_KB.get(field.name)
        is_flat = limit is None or found <= limit
        failed += not is_flat
        bound = "" if limit is None else f" (at most {limit:.0f}){'' if is_flat else ': it grows'}"
        print(f"{field.name:8}{found:+10.1f} KB a minute{bound}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
