"""Mutants: planted protocol bugs, each of which simulated worlds or a named test must catch.

    python bench/mutants.py                          all of them
    python bench/mutants.py early-return no-fence    some of them
    python bench/mutants.py --by seeds               by simulated worlds alone

Each bug is planted into a copy of its package. The table shows the median, of five ranges of seeds,
of how many seeds it took until an invariant broke, what broke, and the first named test that
failed. Simulated worlds have no task server of the library, so only tests try its bugs.

Invariant: a mutant whose text is not in its module exactly once is an error, not a success.
"""

import argparse
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from mutant_list import MUTANTS, Mutant, plant

ROOT: Final = Path(__file__).resolve().parent.parent
TESTS_TIMEOUT_S: Final = 300.0
SEEDS_CPU_S: Final = 150
"""Worlds that take longer do not end. Processor time: a busy machine proves nothing."""

STARTS: Final = (0, 100_000, 200_000, 300_000, 400_000)
SEEDS_MAX: Final = 2000
TEST_FOLDERS: Final = {
    "cerebro": ("tests/rules", "tests/simulation"),
    "cordyna_core": ("tests/server", "tests/aws"),
}
"""By the package of the bug."""


@dataclass(frozen=True, slots=True)
class Catch:
    """Who caught a mutant.

    `seeds` are the seeds that it took from each start (None: more than were tried), `broken` is the
    first invariant that broke, `test` the first named test that failed.
    """

    seeds: list[int | None]
    broken: str
    test: str

    @property
    def median(self) -> float | None:
        """The median number of seeds, None if more than half of the starts caught nothing."""
        caught = [seeds for seeds in self.seeds if seeds is not None]
        if len(caught) * 2 <= len(self.seeds):
            return None
        return statistics.median(
            [seeds if seeds is not None else float("inf") for seeds in self.seeds]
        )


_SIMULATE: Final = """
import resource, sys
resource.setrlimit(resource.RLIMIT_CPU, (int(sys.argv[4]),) * 2)
from cerebro.simulator.campaign import world_of
first, count, ignored = int(sys.argv[1]), int(sys.argv[2]), set(sys.argv[3].split(","))
for seed in range(first, first + count):
    verdict = world_of(seed).run()
    if verdict.broken is not None and str(seed) not in ignored:
        print(seed - first + 1, "|", verdict.broken)
        sys.exit()
print("none |")
"""

_BROKEN_SEEDS: Final = """
import sys
from cerebro.simulator.campaign import simulate
report = simulate(int(sys.argv[1]), int(sys.argv[2]))
print(*(verdict.seed for verdict in report.broken), sep=",")
"""


def broken_without_bugs(first: int, count: int) -> str:
    """Return the seeds that break although nothing was planted, separated by commas.

    They prove nothing about a mutant, and are not counted.
    """
    command = [sys.executable, "-c", _BROKEN_SEEDS, str(first), str(count)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def hunt(mutant: Mutant, *, seeds_max: int, starts: Mapping[int, str], by: str) -> Catch:
    """Let seeds and tests try to catch a mutant.

    `starts`: the first seed of each range, and those of its seeds that are not counted.
    """
    with tempfile.TemporaryDirectory() as directory:
        plant(mutant, Path(directory))
        environment = {
            "PYTHONPATH": f"{directory}:{ROOT / 'tests'}",
            "PATH": "/usr/bin:/bin",
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        seeds: list[int | None] = []
        broken = test = ""
        if by != "tests" and mutant.package == "cerebro":
            seeds, broken = _hunt_by_seeds(environment, seeds_max, starts)
        if by != "seeds":
            for folder in TEST_FOLDERS[mutant.package]:
                test = test or _first_failing_test(environment, directory, folder)
    return Catch(seeds, broken, test)


def _hunt_by_seeds(
    environment: dict[str, str], seeds_max: int, starts: Mapping[int, str]
) -> tuple[list[int | None], str]:
    seeds: list[int | None] = []
    first_broken = ""
    for start, ignored in starts.items():
        if seeds.count(None) * 2 > len(starts):
            seeds += [None] * (len(starts) - len(seeds))  # the median is beyond what is tried
            break
        arguments = [str(start), str(seeds_max), ignored, str(SEEDS_CPU_S)]
        command = [sys.executable, "-c", _SIMULATE, *arguments]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        if done.returncode:
            seeds.append(1)
            last = (done.stderr.strip().splitlines() or [""])[-1]
            did_end = done.returncode > 0
            first_broken = first_broken or (last if did_end else "the worlds do not end")
            continue
        count, _, broken = (part.strip() for part in done.stdout.partition("|"))
        seeds.append(None if count == "none" else int(count))
        first_broken = first_broken or broken
    return seeds, first_broken


def _first_failing_test(environment: dict[str, str], directory: str, folder: str) -> str:
    options = ["-x", "-q", "-p", "no:cacheprovider", "-o", f"pythonpath={directory} tests bench"]
    # The list of mutants cannot apply to a mutated copy.
    command = [sys.executable, "-m", "pytest", *options, folder, "--ignore", _TEST_OF_THIS]
    try:
        done = subprocess.run(
            command,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            cwd=ROOT,
            timeout=TESTS_TIMEOUT_S,
        )
    except subprocess.TimeoutExpired:
        return f"{folder.removeprefix('tests/')} (does not end)"
    for line in done.stdout.splitlines():
        if line.startswith(("FAILED ", "ERROR ")):
            return line.split()[1].removeprefix("tests/")
    return ""


_TEST_OF_THIS: Final = "tests/simulation/test_mutants.py"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", help="of the mutants (default: all)")
    parser.add_argument("--by", choices=("seeds", "tests", "both"), default="both")
    parser.add_argument("--seeds", type=int, default=SEEDS_MAX, help="seeds from each start")
    parser.add_argument("--starts", type=int, default=len(STARTS), choices=range(1, 6))
    parser.add_argument("--jobs", type=int, default=2)
    return parser


def main() -> int:
    options = _parser().parse_args()
    chosen = [mutant for mutant in MUTANTS if not options.names or mutant.name in options.names]
    print("| planted bug | median seeds to catch | what broke | named test |\n|---|---:|---|---|")
    caught_by_seeds, survivors = 0, []

    is_by_seeds = options.by != "tests" and any(mutant.package == "cerebro" for mutant in chosen)
    starts = {
        start: broken_without_bugs(start, options.seeds)
        for start in STARTS[: options.starts * is_by_seeds]
    }

    def hunt_one(mutant: Mutant) -> Catch:
        return hunt(mutant, seeds_max=options.seeds, starts=starts, by=options.by)

    with ThreadPoolExecutor(options.jobs) as pool:
        for mutant, catch in zip(chosen, pool.map(hunt_one, chosen), strict=True):
            median = "-" if catch.median is None else f"{catch.median:,.0f}"
            broken, test = catch.broken or "-", catch.test or "-"
            print(f"| {mutant.name} | {median} | {broken} | {test} |", flush=True)
            caught_by_seeds += catch.median is not None
            if catch.median is None and not catch.test:
                survivors.append(mutant.name)
    print(
        f"\n{len(chosen)} planted, {len(chosen) - len(survivors)} caught, "
        f"{caught_by_seeds} by seeds alone within {options.seeds:,}"
    )
    if survivors:
        print(f"SURVIVED: {', '.join(survivors)}")
    return 1 if survivors else 0


if __name__ == "__main__":
    sys.exit(main())
