"""Interleavings: all without a fault, and the first states with one.

`make interleavings` visits all of the latter.
"""

import pytest

from simulation.interleavings import COMMANDS, GRAPHS, Exploration

STATES_MAX = 4_000

every_graph = pytest.mark.parametrize("graph", GRAPHS)
every_command = pytest.mark.parametrize("commands", COMMANDS)


@every_command
@every_graph
def test_interleavings_without_faults_break_nothing(graph: str, commands: str) -> None:
    explored = Exploration(GRAPHS[graph], COMMANDS[commands], together=3).explore(0)
    assert not explored.broken
    assert explored.states >= 10


@pytest.mark.parametrize("retries", [0, 1])
@every_command
@every_graph
def test_interleavings_with_one_fault_break_nothing(
    graph: str, commands: str, retries: int
) -> None:
    exploration = Exploration(GRAPHS[graph], COMMANDS[commands], retries=retries)
    assert not exploration.explore(1, STATES_MAX).broken
