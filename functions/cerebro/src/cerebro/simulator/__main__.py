"""`python -m cerebro.simulator`: one seed as a table, a campaign of many, or wide fan-outs.

    python -m cerebro.simulator --server reports.py --server shop.warehouse --seeds 2000 --jobs 2
    python -m cerebro.simulator --wide 100 1000 10000 --profile steady

Invariant: the exit status is 1 when an invariant broke, and 2 when the servers cannot be simulated.
"""

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from cerebro.simulator.campaign import Report, campaign, replay, replay_command, report_lines
from cerebro.simulator.drawn.wide_scenario import PROFILES
from cerebro.simulator.fan_outs import fan_out_rows
from cerebro.simulator.night import run_night
from cerebro.simulator.own_servers import declared_by
from cerebro.simulator.parts.trace import table
from cordyna_core.contract.declaration import ServerDeclared
from cordyna_core.errors import CordynaError


def show_seed(seed: int, own: Sequence[ServerDeclared]) -> int:
    """Print a seed's trace and its hash."""
    verdict, trace = replay(seed, own)
    for line in table(trace.lines):
        print(line)
    print(
        f"seed {seed}: {verdict.runs} runs, {verdict.attempts} attempts, "
        f"{verdict.effects} effects, {verdict.faults} faults"
    )
    if verdict.broken:
        print(f"BROKEN: {verdict.broken}\nThe events of run {verdict.run_id} before that:")
        for line in table(trace.leading_to(verdict.run_id)):
            print(line)
    print(f"hash {trace.hash()}")
    return 1 if verdict.broken else 0


def run_campaign(options: argparse.Namespace, own: Sequence[ServerDeclared]) -> int:
    """Run many seeds and print the report."""
    began, report = time.monotonic(), Report()
    for report in campaign(options.first, options.seeds, own, jobs=options.jobs):
        if sys.stderr.isatty():
            progress = f"\r{report.seeds:,} seeds, {len(report.broken)} broken"
            print(progress, end="", file=sys.stderr)
    if sys.stderr.isatty():
        print(file=sys.stderr)  # The report begins on a line of its own.
    for line in report_lines(report, options.server, wall_s=time.monotonic() - began):
        print(line)
    rare = report.rarer_than(options.at_least)
    if rare:
        print(f"injected fewer than {options.at_least:,} times: {', '.join(rare)}")
    if report.broken:
        first = report.broken[0]
        _, trace = replay(first.seed, own)
        print(f"\n{replay_command(first.seed, options.server)}, the events before that:")
        for line in table(trace.leading_to(first.run_id)):
            print(line)
    return 1 if report.broken or rare else 0


def run_fan_outs(options: argparse.Namespace) -> int:
    """Print the table of wide fan-outs."""
    is_broken = False
    for row in fan_out_rows(options.wide, options.profile, options.dead):
        print(row, flush=True)
        is_broken = is_broken or "BROKEN" in row
    return 1 if is_broken else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m cerebro.simulator",
        description="cordyna in virtual time, with seeded faults",
    )
    parser.add_argument(
        "--server",
        metavar="MODULE_OR_FILE[:NAME]",
        action="append",
        default=[],
        help="simulate the tasks of this server (repeat it for more) instead of drawn ones; "
        "no body is run",
    )
    parser.add_argument("--seed", type=int, help="show one seed: its trace as a table, and a hash")
    parser.add_argument("--seeds", type=int, default=1000, help="how many seeds (default: 1,000)")
    parser.add_argument("--first", type=int, default=0, help="the first of them (default: 0)")
    parser.add_argument("--jobs", type=int, default=1, help="on how many cores (default: 1)")
    parser.add_argument(
        "--at-least",
        type=int,
        default=0,
        help="fail unless every kind of fault was injected that often",
    )
    parser.add_argument(
        "--hours", type=float, help="run seeds for this long, and write figures into --into"
    )
    parser.add_argument(
        "--into", type=Path, default=Path("campaign"), help="a folder (default: campaign)"
    )
    parser.add_argument(
        "--wide", type=int, nargs="+", help="simulate fan-outs of these widths instead of seeds"
    )
    parser.add_argument(
        "--profile", choices=PROFILES, default="steady", help="cerebro's handlers in a fan-out"
    )
    parser.add_argument(
        "--dead", type=float, default=0.0, help="the share of a fan-out that is never answered"
    )
    return parser


def main() -> int:
    parser = _parser()
    options = parser.parse_args()
    try:
        own = declared_by(options.server)
    except CordynaError as error:
        parser.exit(2, f"error: {error}\n")
    if options.wide:
        return run_fan_outs(options)
    if options.hours is not None:
        return run_night(options.hours, options.first, options.jobs, options.into)
    if options.seed is None:
        return run_campaign(options, own)
    return show_seed(options.seed, own)


if __name__ == "__main__":
    sys.exit(main())
