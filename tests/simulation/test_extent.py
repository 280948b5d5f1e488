"""Extent: most worlds are small, and everything that is drawn is drawn in small ones, too."""

from collections.abc import Iterator
from typing import Any

import pytest

from cerebro.handlers.sweep import sweep_shards
from cerebro.simulator.drawn.scenario import WIDE_INTERVAL, scenario_of
from cerebro.simulator.parts.faults import FaultInjector
from cerebro.simulator.parts.scenario import Scenario
from cerebro.simulator.parts.sizes import REAL
from cerebro.simulator.worlds.world import World
from cordyna_core.contract.commands import CancelRun, InvokeTask, RemoveServer, RetryRun
from cordyna_core.contract.declaration import ServerDeclared, TaskDeclaration
from cordyna_core.contract.incidents import SnoozeIncident

SEEDS = [seed for seed in range(1000) if seed % WIDE_INTERVAL != WIDE_INTERVAL - 1]
SCENARIOS = [scenario_of(seed, FaultInjector(seed)) for seed in SEEDS]
SMALL_TASKS_MAX = 6


def tasks_of(scenario: Scenario) -> list[TaskDeclaration]:
    return [task for server in scenario.declared for task in server.tasks]


def traits_of(scenario: Scenario) -> Iterator[str]:
    """Yield what there is in a scenario, of all that is drawn rarely."""
    for task in tasks_of(scenario):
        upstream = len(task.upstream_names)
        yield "joins" if upstream > scenario.sizes.awaited else "no joins"
        if upstream > 2 * scenario.sizes.awaited:
            yield "a join of more than two parts"
        yield f"cron {task.cron}, overlap {task.overlap}" if task.cron else "no cron"
        yield f"retries {task.retries}"
        yield from (name for name in ("params_schema", "output_schema") if getattr(task, name))
        yield "reuse within a time" if task.within_s else "no reuse within a time"
    messages = [scripted.message for scripted in scenario.script]
    yield from (type(message).__name__ for message in messages)
    yield f"invocations {min(3, sum(isinstance(one, InvokeTask) for one in messages))}"
    yield from (f"max_age_s {one.max_age_s}" for one in messages if isinstance(one, InvokeTask))
    yield f"pages {min(2, -(-len(tasks_of(scenario)) // scenario.sizes.page))}"
    yield f"batch {scenario.batch}, sealed {scenario.sealed}, itself {scenario.declares_itself}"
    yield f"unreadable {len(scenario.unreadable)}"
    yield f"nets {scenario.safety_nets}, real sizes {scenario.sizes == REAL}"
    for server in scenario.servers.values():
        yield f"hold {server.started_after_s}"
        kinds = ("fails", "hangs", "slow", "twice", "lies")
        yield from (kind for kind in kinds if getattr(server, kind))
        yield "dead" if any(server.dead) else "alive"


def test_most_worlds_are_small() -> None:
    counts = sorted(len(tasks_of(scenario)) for scenario in SCENARIOS)
    assert counts[len(counts) // 2] <= 3
    assert sum(count > 4 for count in counts) < len(counts) / 10
    assert counts[-1] == 7


def test_small_worlds_have_all_that_is_drawn() -> None:
    small = [one for one in SCENARIOS if len(tasks_of(one)) <= SMALL_TASKS_MAX]
    traits = {trait for scenario in small for trait in traits_of(scenario)}
    every = {trait for scenario in SCENARIOS for trait in traits_of(scenario)}
    names = {one.__name__ for one in (CancelRun, RetryRun, RemoveServer, ServerDeclared)}
    assert {
        "joins",
        "a join of more than two parts",
        "pages 2",
        "dead",
        SnoozeIncident.__name__,
        *names,
    } <= traits
    assert every == traits


def test_sweeps_stop_while_a_run_waits_for_a_dead_letter(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sweeps: list[int] = []

    def count_and_sweep(*arguments: Any) -> None:
        sweeps.append(1)
        sweep_shards(*arguments)

    monkeypatch.setattr("cerebro.simulator.worlds.world.sweep_shards", count_and_sweep)
    days = 0.0
    for seed in range(1, 1000, 5):  # the kind "no repair"
        sweeps.clear()
        verdict = World(seed).run()
        assert verdict.broken is None
        assert len(sweeps) < 80
        days = max(days, verdict.at / 86_400)
    assert days > 2
    REAL.set()


def test_more_timers_than_pages_explain_are_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    assert World(8262).run().broken is None  # an hour of sweeps of five pages
    monkeypatch.setattr("cerebro.simulator.checks.load_promises.TIMERS_MAX", (1, 0))
    assert "timers" in (World(8262).run().broken or "")
    REAL.set()
