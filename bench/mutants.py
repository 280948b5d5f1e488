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
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent
SOURCE: Final = ROOT / "functions/cerebro/src/cerebro"
STARTS: Final = (0, 100_000, 200_000, 300_000, 400_000)


@dataclass(frozen=True, slots=True)
class Mutant:
    """`old` is replaced by `new` in `module`."""

    name: str
    module: str
    old: str
    new: str


MUTANTS: Final = (
    Mutant("no-fence", "core/track.py", "    if update.attempt != fact.attempt:", "    if update.attempt > fact.attempt:"),
    Mutant("lower-rank", "core/track.py", "if rank is None or rank <= fact.rank:", "if rank is None or rank == fact.rank:"),
    Mutant("completion-over-cancel", "core/track.py", "rank <= fact.rank:", "rank <= fact.rank and rank != Rank.COMPLETED:"),
    Mutant("early-return", "core/hear.py", "        if new is None:\n            break", "        if new is None:\n            return"),
    Mutant(
        "never-sent-is-believed",
        "core/hear.py",
        "if fact is None or update.attempt > fact.attempt:\n            raise",
        "if fact is None:\n            raise",
    ),
    Mutant("forgery-is-believed", "core/hear.py", "    if server_of(source) != owner:", "    if False:"),
    Mutant(
        "past-has-effects",
        "core/hear.py",
        "    if fact.attempt != update.attempt:\n        return",
        "    if fact.attempt > update.attempt + 99:\n        return",
    ),
    Mutant("no-heal", "core/hear.py", "    if healed:\n", "    if False:\n"),
    Mutant("no-heal-of-the-ended", "core/hear.py", '        if run.status == "error":\n            yield from heal', '        if False:\n            yield from heal'),
    Mutant("no-look-after-failure", "core/hear.py", "        yield from mark_failing(pinned, index, fact, cause=cause)\n        now = yield Now()\n        yield from arm(run_id, page, now + LOOK_AFTER_S)", "        yield from mark_failing(pinned, index, fact, cause=cause)"),
    Mutant("no-look-after-completion", "core/hear.py", "        if run.failing:\n", "        if False:\n"),
    Mutant("failing-is-forgotten", "core/hear.py", "        yield from mark_failing(pinned, index, fact, cause=cause)\n", ""),
    Mutant("deadline-unguarded", "core/hear.py", "        yield from arm(run_id, page, fact.deadline)\n", ""),
    Mutant("lost-answer-is-conflict", "core/hear.py", "    return None if there == new else there", "    return there"),
    Mutant("guard-before-ring", "core/dispatch.py", "    yield SendRing(Ring(run_id, page, due))\n    now = yield Now()\n    yield WriteGuard(run_id, page, due, now + MARGIN_S)", "    yield WriteGuard(run_id, page, due, now + MARGIN_S)\n    yield SendRing(Ring(run_id, page, due))"),
    Mutant("no-margin", "core/dispatch.py", "MARGIN_S: Final = 2.0", "MARGIN_S: Final = 0.0"),
    Mutant("guarded-too-late", "core/dispatch.py", "IsGuarded(run_id, page, now + MARGIN_S, due)", "IsGuarded(run_id, page, now + MARGIN_S, due + 600)"),
    Mutant("send-before-arm", "core/dispatch.py", "    for page, due in _earliest(facts.items()).items():\n        yield from arm(run_id, page, due)\n    run = yield ReadRun(run_id)", "    run = yield ReadRun(run_id)"),
    Mutant("any-cause-sends", "core/dispatch.py", " and fact.cause == cause\n", "\n"),
    Mutant("no-cause-sends-again", "core/dispatch.py", "if there is None or _is_mine(there, 1, cause):", "if there is None:"),
    Mutant("blind-to-cancel", "core/dispatch.py", '    if run.status == "cancelled":', '    if False:'),
    Mutant("reads-before-writes", "core/hear.py", "        there = yield from write_task(update.run_id, index, new, fact)\n        if there is None:\n            healed, fact = fact.failed_for_good and new.is_completed, new\n            break", "        yield from consequences(pinned, index, new, cause=envelope.id)\n        there = yield from write_task(update.run_id, index, new, fact)\n        if there is None:\n            return"),
    Mutant("one-upstream-is-enough", "core/dispatch.py", "                return False\n            known[upstream] = fact", "                continue\n            known[upstream] = fact"),
    Mutant("errors-count-as-done", "core/dispatch.py", "if fact is None or not fact.is_completed:", "if fact is None or fact.rank < Rank.ERROR:"),
    Mutant("early-ring-is-spent", "core/look.py", "        yield SendRing(ring)\n        return", "        return"),
    Mutant("early-ring-looks", "core/look.py", "    if now < ring.due:", "    if now < ring.due - 3600:"),
    Mutant("expires-early", "core/look.py", "fact.deadline <= now:", "fact.deadline <= now + 8:"),
    Mutant("expires-blindly", "core/look.py", "        there = yield from write_task(pinned.run.id, index, new, fact)", "        fact = (yield ReadTask(pinned.run.id, index)) or fact\n        new = expired(fact, cause=cause, now=now) if fact.rank < Rank.ERROR else fact\n        there = yield from write_task(pinned.run.id, index, new, fact)"),
    Mutant("never-expires", "core/look.py", "        new = expired(fact, cause=cause, now=now)\n", "        return fact\n"),
    Mutant("never-retries", "core/look.py", "            return (yield from dispatch_again(pinned, index, fact, cause=cause))", "            return fact"),
    Mutant("looks-forwards", "core/ending.py", "for page in reversed(pinned.plan.pages):", "for page in pinned.plan.pages:"),
    Mutant("forgets-rev", "core/ending.py", "        if rev is not None and run.rev != rev:\n            return\n", ""),
    Mutant("rev-after-reading", "core/ending.py", "cause=cause, rev=rev, root_causes", "cause=cause, rev=None, root_causes"),
    Mutant("dispatchable-is-dead", "core/ending.py", "        elif not alive and all_completed(task.awaits, facts):\n            alive = True\n", ""),
    Mutant("retry-wait-is-dead", "core/ending.py", "alive = any(fact.is_live for fact in facts.values())", "alive = any(fact.is_live and fact.rank < 3 for fact in facts.values())"),
    Mutant("no-end-in-error", "core/look.py", "    if failed or run.failing:\n", "    if False:\n"),
    Mutant("target-does-not-end", "core/hear.py", '            yield from end(run_id, "completed", cause=cause)\n            return', "            return"),
    Mutant("heal-keeps-rev", "core/ending.py", "rev=run.rev + 1, cause=cause, version=run.version + 1, commands", "rev=run.rev, cause=cause, version=run.version + 1, commands"),
    Mutant("heals-the-cancelled", "core/ending.py", 'while run.status in ("running", "error"):', 'while run.status in ("running", "error", "cancelled"):'),
    Mutant("retry-keeps-budget", "core/track.py", "if before and budget_goes_on else attempt + task.retries", "if before else attempt + task.retries"),
    Mutant("budget-without-end", "core/track.py", "again = fact.attempt < fact.attempts_allowed and", "again = fact.attempt <= fact.attempts_allowed and"),
    Mutant("terminal-is-retried", "core/track.py", '_FINAL_REASONS: Final = frozenset({"failed_terminal", "refused"})', "_FINAL_REASONS: Final = frozenset({''})"),
    Mutant("command-acts-twice", "core/order.py", "    applied = command_id in run.commands\n", "    applied = False\n"),
    Mutant("retry-takes-all", "core/order.py", "if fact.failed_for_good and chosen and not applied:", "if not fact.is_live and chosen and not applied:"),
    Mutant("cancel-spares-the-live", "core/order.py", "        while fact.is_live:\n", "        while False:\n"),
    Mutant("cancel-tells-no-server", "core/say.py", "return (*decided(pinned, index, fact, cause=cause, now=now), cancel_task", "return (*decided(pinned, index, fact, cause=cause, now=now),) if now else (*(), cancel_task"),
    Mutant("run-before-plan", "core/invoke.py", "    there = yield WriteRun(run, None)\n    if there is not None and there.cause != envelope.id:", "    there = yield WriteRun(run, None)\n    if there is not None:"),
    Mutant("wide-walk-stops", "core/dispatch.py", "        yield SendWalk(Walk(walk.run_id, walk.index, end, walk.cause, walk.repair))\n", "        pass\n"),
    Mutant("join-stops", "core/dispatch.py", "            waiting.extend(plan.downstream[index])\n", ""),
    Mutant("large-output-is-lost", "core/dispatch.py", "    apart = tuple(index for index in outputs if known[index].output_apart)\n", "    apart = ()\n"),
    Mutant("declares-on-top", "core/register.py", "        if (yield WriteHead(outcome.head, graph.head)):", "        yield WriteHead(outcome.head, graph.head)\n        if outcome.head:"),
    Mutant("older-revision-wins", "core/declare.py", "declared.revision < standing.revision", "declared.revision < standing.revision - 99"),
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
        if len(found) * 2 <= len(self.seeds):
            return "-"
        return f"{statistics.median([seeds if seeds is not None else 10**9 for seeds in self.seeds]):,.0f}"


def planted(mutant: Mutant, into: Path) -> None:
    """Copy cerebro, with the bug."""
    shutil.copytree(SOURCE, into / "cerebro", ignore=shutil.ignore_patterns("__pycache__"))
    file = into / "cerebro" / mutant.module
    text = file.read_text()
    if text.count(mutant.old) != 1:
        raise SystemExit(f"mutant {mutant.name} does not apply: its text is in {mutant.module} {text.count(mutant.old)} times")
    file.write_text(text.replace(mutant.old, mutant.new))


_SEEDS = """
import sys
from cerebro.local.simulator.campaign import simulate
report = simulate(int(sys.argv[1]), int(sys.argv[2]), stop=True)
print(report.seeds if report.broken else "none", "|", report.broken[0].broken if report.broken else "")
"""


def hunt(mutant: Mutant, most: int) -> Caught:
    """Let seeds and tests have a go at it."""
    with tempfile.TemporaryDirectory() as directory:
        planted(mutant, Path(directory))
        environment = {"PYTHONPATH": f"{directory}:{ROOT / 'tests'}", "PATH": "/usr/bin:/bin", "PYTHONDONTWRITEBYTECODE": "1"}
        seeds: list[int | None] = []
        law = ""
        for start in STARTS:
            done = subprocess.run(
                [sys.executable, "-c", _SEEDS, str(start), str(most)], env=environment, capture_output=True, text=True, check=False
            )
            if done.returncode:
                seeds.append(1)
                law = law or done.stderr.strip().splitlines()[-1]
                continue
            number, _, broke = done.stdout.strip().partition(" | ")
            seeds.append(None if number == "none" else int(number))
            law = law or broke
        test = _first_failing(environment, directory)
    return Caught(seeds, law, test)


def _first_failing(environment: dict[str, str], directory: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", "-o", f"pythonpath={directory} tests", "tests/rules", "tests/core"],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
    )
    failed = re.search(r"^(?:FAILED|ERROR) (\S+)", done.stdout, re.MULTILINE)
    return failed.group(1).removeprefix("tests/") if failed else ""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*")
    parser.add_argument("--most", type=int, default=2000, help="seeds per start, of which there are five")
    parser.add_argument("--jobs", type=int, default=2)
    given = parser.parse_args()
    chosen = [mutant for mutant in MUTANTS if not given.names or mutant.name in given.names]
    print("| planted bug | median seeds to catch | what broke | named test |\n|---|---:|---|---|")
    survived = []
    with ThreadPoolExecutor(given.jobs) as pool:
        for mutant, caught in zip(chosen, pool.map(lambda mutant: hunt(mutant, given.most), chosen), strict=True):
            print(f"| {mutant.name} | {caught.median} | {caught.law or '-'} | {caught.test or '-'} |", flush=True)
            if caught.median == "-" and not caught.test:
                survived.append(mutant.name)
    print(f"\n{len(chosen)} planted, {len(chosen) - len(survived)} caught{'; SURVIVED: ' + ', '.join(survived) if survived else ''}")
    return 1 if survived else 0


if __name__ == "__main__":
    sys.exit(main())
