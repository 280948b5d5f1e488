"""All interleavings with so many faults, as a table. Exits with 1 when an invariant broke.

PYTHONPATH=tests python -m simulation.all_interleavings --faults 2
"""

import argparse
from itertools import product
from multiprocessing import Pool

from simulation.interleavings import COMMANDS, GRAPHS, Exploration

Case = tuple[int, str, str, int]
"""(faults, graph, command, retries)."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument(
        "--faults",
        type=int,
        default=1,
        help="1 takes a minute or two, 2 an hour (default: %(default)s)",
    )
    parser.add_argument(
        "--retries", type=int, nargs="*", default=[0, 1], help="of every task (default: 0 and 1)"
    )
    parser.add_argument("--jobs", type=int, default=2, help="processes (default: %(default)s)")
    options = parser.parse_args()
    cases = list(product([options.faults], GRAPHS, COMMANDS, options.retries))
    print("| graph | command | retries | states | broken |\n|---|---|---:|---:|---|", flush=True)
    total, broken_cases = 0, 0
    with Pool(options.jobs, maxtasksperchild=1) as pool:
        results = pool.imap(explore, cases, chunksize=1)
        for (_, graph, command, retries), (states, broken) in zip(cases, results, strict=True):
            print(f"| {graph} | {command} | {retries} | {states:,} | {broken} |", flush=True)
            total, broken_cases = total + states, broken_cases + bool(broken)
    print(f"| all {len(cases)} | | | {total:,} | {broken_cases or 'nothing'} |")
    raise SystemExit(broken_cases > 0)


def explore(case: Case) -> tuple[int, str]:
    """(number of states, what broke)."""
    faults, graph, command, retries = case
    explored = Exploration(GRAPHS[graph], COMMANDS[command], retries=retries).explore(faults)
    return explored.states, explored.broken


if __name__ == "__main__":
    main()
