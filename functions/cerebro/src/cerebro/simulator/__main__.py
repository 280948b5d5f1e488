"""`python -m cerebro.simulator`: one seed as a table, or a campaign of many; of drawn servers, or of one's own.

    python -m cerebro.simulator --server reports.py --server shop.warehouse --seeds 2000 --jobs 2

Law: it exits 1 when an invariant broke.
"""

import argparse
import sys
import time
from collections.abc import Sequence

from cerebro.simulator.campaign import Report, campaign, lines_of, replay, replay_line
from cerebro.simulator.own_servers import declared_by
from cerebro.simulator.trace import table
from cordyna_core.contract.declaration import ServerDeclared
from cordyna_core.errors import CordynaError


def show(seed: int, own: Sequence[ServerDeclared]) -> int:
    """Print a seed's history and its hash."""
    verdict, history = replay(seed, own)
    for line in table(history.lines):
        print(line)
    print(
        f"seed {seed}: {verdict.runs} runs, {verdict.attempts} attempts, {verdict.effects} effects, {verdict.faults} faults"
    )
    if verdict.broken:
        print(f"BROKEN: {verdict.broken}\nThe events of run {verdict.run_id} that led there:")
        for line in table(history.that_led_to(verdict.run_id)):
            print(line)
    print(f"hash {history.hash()}")
    return 1 if verdict.broken else 0


def many(given: argparse.Namespace, own: Sequence[ServerDeclared]) -> int:
    """Run a campaign and print its report."""
    began, report = time.monotonic(), Report()
    for report in campaign(given.first, given.seeds, own, jobs=given.jobs):
        if report.broken or sys.stderr.isatty():
            print(f"\r{report.seeds:,} seeds, {len(report.broken)} broken", end="", file=sys.stderr)
    for line in lines_of(report, given.server, wall_s=time.monotonic() - began):
        print(line)
    rare = [fault for fault, times in report.struck.items() if times < given.at_least]
    if rare:
        print(f"too rare (fewer than {given.at_least:,}): {', '.join(rare)}")
    if report.broken:
        _, history = replay(report.broken[0].seed, own)
        print(f"\n{replay_line(report.broken[0].seed, given.server)}, the events that led there:")
        for line in table(history.that_led_to(report.broken[0].run_id)):
            print(line)
    return 1 if report.broken or rare else 0


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m cerebro.simulator",
        description="cordyna in virtual time, with seeded faults",
    )
    parser.add_argument(
        "--server",
        metavar="MODULE_OR_FILE[:NAME]",
        action="append",
        default=[],
        help="simulate the tasks of this server (again for more) instead of drawn ones; no body is run",
    )
    parser.add_argument(
        "--seed", type=int, help="show one seed: its history as a table, and its hash"
    )
    parser.add_argument("--seeds", type=int, default=1000, help="how many seeds (default: 1,000)")
    parser.add_argument("--first", type=int, default=0, help="the first of them (default: 0)")
    parser.add_argument("--jobs", type=int, default=1, help="on how many cores (default: 1)")
    parser.add_argument(
        "--at-least", type=int, default=0, help="fail unless every kind of fault struck that often"
    )
    given = parser.parse_args()
    try:
        own = declared_by(given.server)
    except CordynaError as error:
        parser.exit(2, f"error: {error}\n")
    return many(given, own) if given.seed is None else show(given.seed, own)


if __name__ == "__main__":
    sys.exit(main())
