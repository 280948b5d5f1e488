"""Interleavings: all of them, for every graph of up to three tasks, as far as they are counted in docs/reliability.md."""

import os

import pytest

from simulation.interleavings import GRAPHS, Exploration

IS_FULL = os.environ.get("SIM") == "full"

BOUNDS = [(1, 2_000_000), (2, 400_000)] if IS_FULL else [(1, 4_000)]
"""How many faults, and how many states of a graph are visited at most: all where they are fewer."""


@pytest.mark.parametrize("commands", [(), ("cancel",), ("retry",)], ids=["alone", "cancelled", "retried"])
@pytest.mark.parametrize("graph", GRAPHS)
def test_without_any_fault_every_interleaving_is_right(graph: str, commands: tuple[str, ...]) -> None:
    found = Exploration(GRAPHS[graph], commands, together=3).explore(0)
    assert not found.broken
    assert found.states >= 20


@pytest.mark.parametrize(("faults", "most"), BOUNDS)
@pytest.mark.parametrize("retries", [0, 1])
@pytest.mark.parametrize("commands", [(), ("cancel",), ("retry",)], ids=["alone", "cancelled", "retried"])
@pytest.mark.parametrize("graph", GRAPHS)
def test_with_faults_every_interleaving_is_right(graph: str, commands: tuple[str, ...], retries: int, faults: int, most: int) -> None:
    found = Exploration(GRAPHS[graph], commands, retries=retries).explore(faults, most)
    assert not found.broken
