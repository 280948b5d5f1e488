"""All interleavings with so many faults, as a table. Exits with 1 when an invariant broke.

PYTHONPATH=tests python -m simulation.all_interleavings --faults 2 --into interleavings.jsonl

With --into, what is done is kept in that file, and left out the next time: it can be stopped.
"""

import argparse
import json
import time
from collections.abc import Iterator, Sequence
from itertools import product
from multiprocessing import Pool
from pathlib import Path

from simulation.interleavings import COMMANDS, GRAPHS, Exploration

Case = tuple[int, str, str, int]
"""(faults, graph, command, retries)."""

Explored = tuple[Case, int, str, float]
"""(case, number of states, what broke, seconds of the processor)."""


def main() -> None:
    options = _options()
    cases = list(product([options.faults], options.graphs, options.commands, options.retries))
    done = dict(_read(options.into)) if options.into else {}
    print("| graph | command | retries | states | broken |\n|---|---|---:|---:|---|", flush=True)
    for case in cases:
        if case in done:
            print(_row(case, *done[case]), flush=True)
    left = [case for case in cases if case not in done]
    with Pool(options.jobs, maxtasksperchild=1) as pool:
        for case, states, broken, cpu_s in pool.imap_unordered(explore, left, chunksize=1):
            done[case] = states, broken
            print(_row(case, states, broken), flush=True)
            if options.into:
                with options.into.open("a") as file:
                    file.write(json.dumps([case, states, broken, round(cpu_s, 1)]) + "\n")
    total = sum(done[case][0] for case in cases)
    broken_cases = sum(bool(done[case][1]) for case in cases)
    print(f"| all {len(cases)} | | | {total:,} | {broken_cases or 'nothing'} |")
    raise SystemExit(broken_cases > 0)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument(
        "--faults",
        type=int,
        default=1,
        help="1 takes half a minute, 2 an hour (default: %(default)s)",
    )
    for name, choices in (("graphs", GRAPHS), ("commands", COMMANDS)):
        parser.add_argument(
            f"--{name}",
            nargs="*",
            choices=list(choices),
            default=list(choices),
            help="default: all",
        )
    parser.add_argument(
        "--retries", type=int, nargs="*", default=[0, 1], help="of every task (default: 0 and 1)"
    )
    parser.add_argument("--jobs", type=int, default=2, help="processes (default: %(default)s)")
    parser.add_argument("--into", type=Path, help="a file that keeps what is done")
    return parser.parse_args()


def _read(into: Path) -> Iterator[tuple[Case, tuple[int, str]]]:
    """What an earlier command left in the file."""
    for line in into.read_text().splitlines() if into.exists() else ():
        (faults, graph, command, retries), states, broken, _ = json.loads(line)
        yield (faults, graph, command, retries), (states, broken)


def _row(case: Sequence[object], states: int, broken: str) -> str:
    _, graph, command, retries = case
    return f"| {graph} | {command} | {retries} | {states:,} | {broken} |"


def explore(case: Case) -> Explored:
    """Visit all states of one case."""
    faults, graph, command, retries = case
    explored = Exploration(GRAPHS[graph], COMMANDS[command], retries=retries).explore(faults)
    return case, explored.states, explored.broken, time.process_time()


if __name__ == "__main__":
    main()
