"""Campaign: many seeds, on several cores, and what came of them.

Law: a world that broke is told by one line that replays it.
"""

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from itertools import repeat
from typing import Final

from cerebro.simulator.faults import FAULTS
from cerebro.simulator.scenario import Nets
from cerebro.simulator.trace import Trace
from cerebro.simulator.world import Verdict, World
from cordyna_core.contract.declaration import ServerDeclared

CHUNK: Final = 500
NETS: Final[tuple[Nets, ...]] = ("both", "no repair", "no sweep", "neither")


@dataclass(slots=True)
class Report:
    """What came of a range of seeds."""

    seeds: int = 0
    effects: int = 0
    runs: int = 0
    attempts: int = 0
    cpu_s: float = 0.0
    virtual_s: float = 0.0
    struck: Counter[str] = field(default_factory=Counter)
    nets: Counter[str] = field(default_factory=Counter)
    broken: list[Verdict] = field(default_factory=list)

    @property
    def faults(self) -> int:
        return sum(self.struck.values())

    def add(self, other: "Report") -> None:
        self.seeds += other.seeds
        self.effects += other.effects
        self.runs += other.runs
        self.attempts += other.attempts
        self.cpu_s += other.cpu_s
        self.virtual_s += other.virtual_s
        self.struck.update(other.struck)
        self.nets.update(other.nets)
        self.broken.extend(other.broken)


def simulate(
    first: int, count: int, own: Sequence[ServerDeclared] = (), *, stop: bool = False
) -> Report:
    """Seeds from `first` on, in this process, of one's `own` servers or of drawn ones. With `stop`, only until one breaks."""
    report, began = Report(), time.process_time()
    for seed in range(first, first + count):
        world = World(seed, own=own)
        verdict = world.run()
        report.seeds += 1
        report.effects += verdict.effects
        report.runs += verdict.runs
        report.attempts += verdict.attempts
        report.virtual_s += verdict.at
        report.struck.update(verdict.struck)
        report.nets[world.scenario.nets] += 1
        if verdict.broken is not None:
            report.broken.append(verdict)
            if stop:
                break
    report.cpu_s = time.process_time() - began
    return report


def campaign(
    first: int, count: int, own: Sequence[ServerDeclared] = (), *, jobs: int = 1
) -> Iterator[Report]:
    """The same on several cores; yields the report so far, chunk by chunk."""
    whole = Report()
    starts = range(first, first + count, CHUNK)
    sizes = [min(CHUNK, first + count - start) for start in starts]
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
    """One seed once more, with its history."""
    history = Trace()
    return World(seed, own=own, history=history).run(), history


def lines_of(report: Report, servers: Sequence[str] = (), *, wall_s: float) -> Iterator[str]:
    """The report as text; `servers`: where one's own were loaded from."""
    total = f"{report.seeds:,} seeds, {report.faults:,} faults, {report.runs:,} runs, {report.attempts:,} attempts"
    yield f"{total}, {report.effects:,} effects"
    speed = report.seeds / report.cpu_s if report.cpu_s else 0.0
    yield f"{wall_s:.0f} s ({speed:.0f} seeds per second and core), {report.virtual_s / 86_400:,.0f} days of virtual time"
    yield "nets: " + ", ".join(f"{nets} {report.nets[nets]:,}" for nets in NETS)
    yield "faults:"
    for fault in FAULTS:
        yield f"  {fault:<18}{report.struck[fault]:>12,}"
    if not report.broken:
        yield "broken: nothing"
    for verdict in report.broken[:20]:
        yield f"BROKEN after {verdict.at:.3f} s: {verdict.broken}; replay: {replay_line(verdict.seed, servers)}"
    if len(report.broken) > 20:
        yield f"... and {len(report.broken) - 20} more"


def replay_line(seed: int, servers: Sequence[str] = ()) -> str:
    """The one line that shows a seed again."""
    if servers:
        return f"python -m cerebro.simulator {' '.join(f'--server {server}' for server in servers)} --seed {seed}"
    return f"make sim SEED={seed}"
