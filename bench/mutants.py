"""Planted protocol bugs: each is put into a copy of cerebro, and must be caught, by simulated worlds or by a named test.

    python bench/mutants.py                      all of them: a table with the median of seeds to catch, and the test that caught it
    python bench/mutants.py early-return no-fence    some of them

Law: a mutant that no longer applies (its text is not in the core exactly once) is an error, not a success.
"""

import argparse
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import tomllib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent
SOURCE: Final = ROOT / "functions/cerebro/src/cerebro"
HANGS_S: Final = 300.0
STARTS: Final = (0, 100_000, 200_000, 300_000, 400_000)


@dataclass(frozen=True, slots=True)
class Mutant:
    """`old` is replaced by `new` in `module`."""

    name: str
    module: str
    old: str
    new: str


MUTANTS: Final = tuple(
    Mutant(**each) for each in tomllib.loads((ROOT / "bench/mutants.toml").read_text())["mutant"]
)


@dataclass(frozen=True, slots=True)
class Caught:
    """Who caught a mutant: the median of seeds that it took (None: some start did not), what broke, and the named test."""

    seeds: list[int | None]
    law: str
    test: str

    @property
    def median(self) -> str:
        found = [seeds for seeds in self.seeds if seeds is not None]
        if len(found) * 2 <= len(STARTS):
            return "-"
        return f"{statistics.median([seeds if seeds is not None else 10**9 for seeds in self.seeds]):,.0f}"


def planted(mutant: Mutant, into: Path) -> None:
    """Copy cerebro, with the bug."""
    shutil.copytree(SOURCE, into / "cerebro", ignore=shutil.ignore_patterns("__pycache__"))
    file = into / "cerebro" / mutant.module
    text = file.read_text()
    if text.count(mutant.old) != 1:
        raise SystemExit(
            f"mutant {mutant.name} does not apply: its text is in {mutant.module} {text.count(mutant.old)} times"
        )
    file.write_text(text.replace(mutant.old, mutant.new))


_SEEDS = """
import sys
from cerebro.simulator.campaign import simulate
report = simulate(int(sys.argv[1]), int(sys.argv[2]), stop=True)
print(report.seeds if report.broken else "none", "|", report.broken[0].broken if report.broken else "")
"""


def hunt(mutant: Mutant, most: int) -> Caught:
    """Let seeds and tests have a go at it."""
    with tempfile.TemporaryDirectory() as directory:
        planted(mutant, Path(directory))
        environment = {
            "PYTHONPATH": f"{directory}:{ROOT / 'tests'}",
            "PATH": "/usr/bin:/bin",
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        seeds: list[int | None] = []
        law = ""
        for start in STARTS:
            if seeds.count(None) * 2 > len(STARTS):
                break  # the median is beyond what is tried
            done = subprocess.run(
                [sys.executable, "-c", _SEEDS, str(start), str(most)],
                env=environment,
                capture_output=True,
                text=True,
                check=False,
            )
            if done.returncode:
                seeds.append(1)
                law = law or done.stderr.strip().splitlines()[-1]
                continue
            number, _, broke = (part.strip() for part in done.stdout.partition("|"))
            seeds.append(None if number == "none" else int(number))
            law = law or broke
        test = _first_failing(environment, directory, "tests/rules") or _first_failing(
            environment, directory, "tests/simulation"
        )
    return Caught(seeds, law, test)


def _first_failing(environment: dict[str, str], directory: str, tests: str) -> str:
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-x",
        "-q",
        "-p",
        "no:cacheprovider",
        "-o",
        f"pythonpath={directory} tests",
        tests,
    ]
    try:
        done = subprocess.run(
            command,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            cwd=ROOT,
            timeout=HANGS_S,
        )
    except subprocess.TimeoutExpired:
        return f"{tests.removeprefix('tests/')} (does not come to an end)"
    failed = re.search(r"^(?:FAILED|ERROR) (\S+)", done.stdout, re.MULTILINE)
    return failed.group(1).removeprefix("tests/") if failed else ""


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*")
    parser.add_argument(
        "--most", type=int, default=2000, help="seeds per start, of which there are five"
    )
    parser.add_argument("--jobs", type=int, default=2)
    given = parser.parse_args()
    chosen = [mutant for mutant in MUTANTS if not given.names or mutant.name in given.names]
    print("| planted bug | median seeds to catch | what broke | named test |\n|---|---:|---|---|")
    survived = []
    with ThreadPoolExecutor(given.jobs) as pool:
        for mutant, caught in zip(
            chosen, pool.map(lambda mutant: hunt(mutant, given.most), chosen), strict=True
        ):
            print(
                f"| {mutant.name} | {caught.median} | {caught.law or '-'} | {caught.test or '-'} |",
                flush=True,
            )
            if caught.median == "-" and not caught.test:
                survived.append(mutant.name)
    print(
        f"\n{len(chosen)} planted, {len(chosen) - len(survived)} caught{'; SURVIVED: ' + ', '.join(survived) if survived else ''}"
    )
    return 1 if survived else 0


if __name__ == "__main__":
    sys.exit(main())
