"""All interleavings with so many faults, whole, as a table; exits 1 when one of them is broken.

PYTHONPATH=tests python -m simulation.all_interleavings --faults 2
"""

import argparse
from itertools import product
from multiprocessing import Pool

from simulation.interleavings import COMMANDS, GRAPHS, Exploration

World = tuple[int, str, str, int]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument(
        "--faults",
        type=int,
        default=1,
        help="1: a minute or two; 2: an hour (default: %(default)s)",
    )
    parser.add_argument(
        "--retries", type=int, nargs="*", default=[0, 1], help="of every task (default: 0 and 1)"
    )
    parser.add_argument("--jobs", type=int, default=2, help="processes (default: %(default)s)")
    told = parser.parse_args()
    worlds = list(product([told.faults], GRAPHS, COMMANDS, told.retries))
    print("| graph | command | retries | states | broken |\n|---|---|---:|---:|---|", flush=True)
    states, broken = 0, 0
    with Pool(told.jobs, maxtasksperchild=1) as pool:
        for (_, graph, command, retries), found in zip(
            worlds, pool.imap(explored, worlds, chunksize=1), strict=True
        ):
            print(f"| {graph} | {command} | {retries} | {found[0]:,} | {found[1]} |", flush=True)
            states, broken = states + found[0], broken + bool(found[1])
    print(f"| all {len(worlds)} | | | {states:,} | {broken or 'nothing'} |")
    raise SystemExit(broken > 0)


def explored(world: World) -> tuple[int, str]:
    """How many states there are, and what broke."""
    faults, graph, command, retries = world
    found = Exploration(GRAPHS[graph], COMMANDS[command], retries=retries).explore(faults)
    return found.states, found.broken


if __name__ == "__main__":
    main()
