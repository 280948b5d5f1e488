"""Interleavings: all without a fault, and the first states of those with one. `make interleavings` visits all of them."""

import pytest

from simulation.interleavings import COMMANDS, GRAPHS, Exploration

MOST = 4_000

every_graph = pytest.mark.parametrize("graph", GRAPHS)
every_command = pytest.mark.parametrize("commands", COMMANDS)


@every_command
@every_graph
def test_without_any_fault_every_interleaving_is_right(graph: str, commands: str) -> None:
    found = Exploration(GRAPHS[graph], COMMANDS[commands], together=3).explore(0)
    assert not found.broken
    assert found.states >= 10


@pytest.mark.parametrize("retries", [0, 1])
@every_command
@every_graph
def test_with_faults_every_interleaving_is_right(graph: str, commands: str, retries: int) -> None:
    found = Exploration(GRAPHS[graph], COMMANDS[commands], retries=retries).explore(1, MOST)
    assert not found.broken
