"""Worlds: a few seeds in every test run, many in `make sim`."""

import subprocess
import sys
from collections.abc import Iterator

import pytest

from cerebro.simulator.campaign import replay, report_lines, simulate
from cerebro.simulator.drawn.scenario import scenario_of
from cerebro.simulator.parts.faults import FAULTS, FaultInjector
from cerebro.simulator.parts.sizes import REAL
from cerebro.simulator.parts.trace import table
from cerebro.simulator.worlds.world import World


@pytest.fixture(autouse=True)
def real_sizes_afterwards() -> Iterator[None]:
    yield
    REAL.set()


@pytest.mark.parametrize("first", range(0, 400, 100))
def test_seeds_break_no_invariant(first: int) -> None:
    report = simulate(first, 100)
    assert not report.broken, "\n".join(report_lines(report, wall_s=0))


def test_seeds_inject_every_kind_of_fault() -> None:
    assert set(simulate(0, 200).injected) == set(FAULTS)


def test_seeds_cover_every_kind_of_world() -> None:
    assert simulate(0, 50).worlds == {
        "both": 19,
        "no repair": 10,
        "no sweep": 10,
        "neither": 9,
        "fan-out": 1,
        "engine": 1,
    }


@pytest.mark.parametrize("seed", [1, 42, 1181])
def test_same_seed_has_same_history(seed: int) -> None:
    assert replay(seed)[1].hash() == replay(seed)[1].hash()


def test_same_seed_in_other_process_has_same_history() -> None:
    command = [sys.executable, "-m", "cerebro.simulator", "--seed", "42"]
    first, second = (
        subprocess.run(
            command, capture_output=True, text=True, check=True, env={"PYTHONHASHSEED": salt}
        ).stdout
        for salt in ("1", "2")
    )
    assert first == second
    assert first.splitlines()[-1] == f"hash {replay(42)[1].hash()}"


def test_different_seeds_have_different_histories() -> None:
    assert replay(1)[1].hash() != replay(2)[1].hash()


def test_recording_the_trace_changes_nothing() -> None:
    traced, _ = replay(7)
    untraced = World(7).run()
    assert traced == untraced


def test_trace_prints_as_table() -> None:
    _, trace = replay(42)
    lines = list(table(trace.lines))
    assert lines[0].split() == ["time", "who", "what", "run", "about"]
    assert any("InvokeTask" in line for line in lines)


def test_broken_world_reports_what_when_and_replay_command(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(
        "cerebro.core.run.page_timers.HasPageTimer",
        lambda *_: (_ for _ in ()).throw(RuntimeError("planted")),
    )
    report = simulate(0, 5)
    assert report.broken[0].broken == "RuntimeError: planted"
    assert "replay: make sim SEED=" in "\n".join(report_lines(report, wall_s=1))


def test_scenarios_of_one_seed_are_equal() -> None:
    assert scenario_of(5, FaultInjector(5)) == scenario_of(5, FaultInjector(5))
