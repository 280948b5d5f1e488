"""Campaign: many seeds, on several cores, and a report of them.

Invariant: a world that broke is reported with one command that replays it.
"""

import gc
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from itertools import repeat
from typing import Final

from cerebro.simulator.parts.faults import FAULTS
from cerebro.simulator.parts.trace import Trace
from cerebro.simulator.parts.verdict import Verdict
from cerebro.simulator.worlds.engine_world import EngineWorld
from cerebro.simulator.worlds.world import World
from cordyna_core.contract.declaration import ServerDeclared

CHUNK_SEEDS: Final = 500
BROKEN_SHOWN_MAX: Final = 20
GARBAGE_THRESHOLD: Final = 50_000
"""Objects of a few worlds."""

ENGINE_INTERVAL: Final = 50
"""One seed in this many is a world of the embedded engine."""


@dataclass(slots=True)
class Report:
    """The sums over a range of seeds, and the verdicts of those that broke."""

    seeds: int = 0
    effects: int = 0
    runs: int = 0
    attempts: int = 0
    cpu_s: float = 0.0
    virtual_s: float = 0.0
    injected: Counter[str] = field(default_factory=Counter)
    worlds: Counter[str] = field(default_factory=Counter)
    broken: list[Verdict] = field(default_factory=list)

    @property
    def faults(self) -> int:
        return sum(self.injected.values())

    def rarer_than(self, times: int) -> list[str]:
        """Return the kinds of fault that were injected less often."""
        return [fault for fault in FAULTS if self.injected[fault] < times]

    def add(self, other: "Report") -> None:
        self.seeds += other.seeds
        self.effects += other.effects
        self.runs += other.runs
        self.attempts += other.attempts
        self.cpu_s += other.cpu_s
        self.virtual_s += other.virtual_s
        self.injected.update(other.injected)
        self.worlds.update(other.worlds)
        self.broken.extend(other.broken)


def world_of(
    seed: int, own: Sequence[ServerDeclared] = (), trace: Trace | None = None
) -> World | EngineWorld:
    """Return the world of a seed; with `own`, always one of these servers."""
    if not own and seed % ENGINE_INTERVAL == ENGINE_INTERVAL // 2:
        return EngineWorld(seed, trace=trace)
    return World(seed, own=own, trace=trace)


def simulate(
    first: int, count: int, own: Sequence[ServerDeclared] = (), *, stop: bool = False
) -> Report:
    """Run the seeds from `first` on in this process; with `stop`, only until one breaks.

    With `own`, worlds of these servers instead of drawn ones.
    """
    report, began = Report(), time.process_time()
    # A world is garbage as a whole once it has ended; looking for garbage more often finds none.
    gc.freeze()
    gc.set_threshold(GARBAGE_THRESHOLD, 10, 10)
    for seed in range(first, first + count):
        world = world_of(seed, own)
        verdict = world.run()
        report.seeds += 1
        report.effects += verdict.effects
        report.runs += verdict.runs
        report.attempts += verdict.attempts
        report.virtual_s += verdict.at
        report.injected.update(verdict.injected)
        report.worlds[world.kind] += 1
        if verdict.broken is not None:
            report.broken.append(verdict)
            if stop:
                break
    report.cpu_s = time.process_time() - began
    return report


def campaign(
    first: int, count: int, own: Sequence[ServerDeclared] = (), *, jobs: int = 1
) -> Iterator[Report]:
    """Run the seeds on several cores; yields the report so far after each chunk."""
    whole = Report()
    starts = range(first, first + count, CHUNK_SEEDS)
    sizes = [min(CHUNK_SEEDS, first + count - start) for start in starts]
    if jobs == 1:
        for start, size in zip(starts, sizes, strict=True):
            whole.add(simulate(start, size, own))
            yield whole
        return
    with ProcessPoolExecutor(jobs) as pool:
        for part in pool.map(simulate, starts, sizes, repeat(own)):
            whole.add(part)
            yield whole


def replay(seed: int, own: Sequence[ServerDeclared] = ()) -> tuple[Verdict, Trace]:
    """Run one seed again, with its trace."""
    trace = Trace()
    return world_of(seed, own, trace).run(), trace


def report_lines(report: Report, servers: Sequence[str] = (), *, wall_s: float) -> Iterator[str]:
    """Yield the report as text; `servers` is where the user's own servers were loaded from."""
    yield (
        f"{report.seeds:,} seeds, {report.faults:,} faults, {report.runs:,} runs, "
        f"{report.attempts:,} attempts, {report.effects:,} effects"
    )
    speed = report.seeds / report.cpu_s if report.cpu_s else 0.0
    yield (
        f"{wall_s:.0f} s ({speed:.0f} seeds per second and core), "
        f"{report.virtual_s / 86_400:,.0f} days of virtual time"
    )
    worlds = (f"{kind} {count:,}" for kind, count in sorted(report.worlds.items()))
    yield f"worlds: {', '.join(worlds)}"
    yield "faults:"
    columns = max(map(len, FAULTS))
    for fault in FAULTS:
        yield f"  {fault:<{columns}}{report.injected[fault]:>12,}"
    if not report.broken:
        yield "broken: nothing"
    for verdict in report.broken[:BROKEN_SHOWN_MAX]:
        command = replay_command(verdict.seed, servers)
        yield f"BROKEN after {verdict.at:.3f} s: {verdict.broken}; replay: {command}"
    if len(report.broken) > BROKEN_SHOWN_MAX:
        yield f"... and {len(report.broken) - BROKEN_SHOWN_MAX} more"


def replay_command(seed: int, servers: Sequence[str] = ()) -> str:
    """Return the command that runs a seed again and shows its trace."""
    if servers:
        options = " ".join(f"--server {server}" for server in servers)
        return f"python -m cerebro.simulator {options} --seed {seed}"
    return f"make sim SEED={seed}"
