"""Night: a campaign that runs for hours and leaves its figures and broken seeds in a folder.

    figures.txt    the report so far, rewritten after every chunk of seeds
    broken.txt     a line for each seed that broke: the command that replays it, and what broke

The next night continues with the seed after the last one of `figures.txt`.

Invariant: a campaign that is interrupted leaves what it has found.
"""

import re
import time
from pathlib import Path
from typing import Final

from cerebro.simulator.campaign import Report, campaign, replay_command, report_lines

SEEDS_PER_ROUND: Final = 20_000


def run_night(hours: float, first: int, jobs: int, into: Path) -> int:
    """Run seeds for a number of hours. Returns 1 if an invariant broke."""
    into.mkdir(parents=True, exist_ok=True)
    figures, broken = into / "figures.txt", into / "broken.txt"
    began, seed = time.monotonic(), max(first, _seed_after(figures))
    until = began + hours * 3600
    whole, is_over = Report(), False
    while not is_over:
        rounds = campaign(seed, SEEDS_PER_ROUND, jobs=jobs)
        so_far = Report()
        for so_far in rounds:
            total = Report()
            total.add(whole)
            total.add(so_far)
            lines = report_lines(total, wall_s=time.monotonic() - began)
            text = "\n".join([*lines, f"next seed: {seed + so_far.seeds}"])
            figures.write_text(text + "\n")
            _write_broken(broken, total)
            is_over = time.monotonic() >= until
            if is_over:
                break
        whole.add(so_far)
        seed += so_far.seeds
    return 1 if whole.broken else 0


def _write_broken(file: Path, report: Report) -> None:
    if report.broken:
        lines = [f"{replay_command(verdict.seed)}    {verdict.broken}" for verdict in report.broken]
        file.write_text("\n".join(lines) + "\n")


def _seed_after(figures: Path) -> int:
    """Return the seed with which a campaign into this folder continues."""
    if not figures.exists():
        return 0
    found = re.search(r"^next seed: (\d+)$", figures.read_text(), re.MULTILINE)
    return int(found[1]) if found else 0
