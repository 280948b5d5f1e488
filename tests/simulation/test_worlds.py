"""Worlds: a few seeds in every test run; many in `make sim`."""

import subprocess
import sys
from collections.abc import Iterator

import pytest

from cerebro.simulator.campaign import lines_of, replay, simulate
from cerebro.simulator.faults import FAULTS, FaultInjector
from cerebro.simulator.scenario import scenario_of
from cerebro.simulator.sizes import REAL
from cerebro.simulator.trace import table
from cerebro.simulator.world import World


@pytest.fixture(autouse=True)
def real_sizes_afterwards() -> Iterator[None]:
    yield
    REAL.set()


@pytest.mark.parametrize("first", range(0, 400, 100))
def test_no_invariant_breaks(first: int) -> None:
    report = simulate(first, 100)
    assert not report.broken, "\n".join(lines_of(report, wall_s=0))


def test_every_kind_of_fault_strikes() -> None:
    assert set(simulate(0, 300).struck) == set(FAULTS)


def test_the_nets_are_off_in_a_part_of_the_worlds() -> None:
    nets = simulate(0, 20).nets
    assert nets == {"both": 8, "no repair": 4, "no sweep": 4, "neither": 4}


@pytest.mark.parametrize("seed", [1, 42, 1181])
def test_the_same_seed_has_the_same_history(seed: int) -> None:
    assert replay(seed)[1].hash() == replay(seed)[1].hash()


def test_the_same_seed_has_the_same_history_in_another_process() -> None:
    command = [sys.executable, "-m", "cerebro.simulator", "--seed", "42"]
    first, second = (
        subprocess.run(
            command, capture_output=True, text=True, check=True, env={"PYTHONHASHSEED": salt}
        ).stdout
        for salt in ("1", "2")
    )
    assert first == second
    assert first.splitlines()[-1] == f"hash {replay(42)[1].hash()}"


def test_two_seeds_have_two_histories() -> None:
    assert replay(1)[1].hash() != replay(2)[1].hash()


def test_looking_at_the_history_changes_nothing() -> None:
    seen, _ = replay(7)
    unseen = World(7).run()
    assert (seen.at, seen.effects, seen.struck) == (unseen.at, unseen.effects, unseen.struck)


def test_a_history_reads_as_a_table() -> None:
    _, history = replay(42)
    lines = list(table(history.lines))
    assert lines[0].split() == ["time", "who", "what", "run", "about"]
    assert any("InvokeTask" in line for line in lines)


def test_a_world_that_breaks_says_what_when_and_how_to_see_it_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(
        "cerebro.core.run.dispatch.HasPageTimer",
        lambda *_: (_ for _ in ()).throw(RuntimeError("planted")),
    )
    report = simulate(0, 5)
    assert report.broken[0].broken == "RuntimeError: planted"
    assert "replay: make sim SEED=" in "\n".join(lines_of(report, wall_s=1))


def test_scenarios_of_one_seed_are_equal() -> None:
    assert scenario_of(5, FaultInjector(5)) == scenario_of(5, FaultInjector(5))
