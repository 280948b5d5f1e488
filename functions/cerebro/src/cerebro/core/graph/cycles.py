"""Cycles: the tasks that need each other, found with networkx.

It is imported only where there is a cycle to report: networkx takes 85 ms to import, and hardly any
declaration has a cycle.

Invariant: of each strongly connected component at least one cycle is reported, the shortest one
through its first task.
"""

from collections.abc import Collection, Iterator
from typing import Final

import networkx as nx

from cerebro.core.graph.graph import Graph

CYCLES_PER_COMPONENT_MAX: Final = 5
"""A component can contain exponentially many cycles; fixing these shows what is left."""


def cycles_of(graph: Graph, among: Collection[str]) -> list[list[str]]:
    """Return cycles through tasks of `among` as [x, y, x]: x needs y, and y needs x.

    A task that names itself as upstream is not reported here.
    """
    network = _network(graph)
    components = [part for part in nx.strongly_connected_components(network) if len(part) > 1]
    position = {name: index for index, name in enumerate(graph.without_order)}
    cycles: list[list[str]] = []
    for component in sorted(components, key=lambda part: min(position[name] for name in part)):
        starts = sorted(component.intersection(among), key=position.__getitem__)
        cycles += _cycles_in(network.subgraph(component).copy(), starts)
    return cycles


def _network(graph: Graph) -> "nx.DiGraph[str]":
    """Return the tasks that have no topological order, with the edges between them."""
    network: nx.DiGraph[str] = nx.DiGraph()
    unordered = set(graph.without_order)
    for name in graph.without_order:
        network.add_edges_from(
            (name, needed) for needed in graph[name].task.upstream_names if needed in unordered
        )
    return network


def _cycles_in(component: "nx.DiGraph[str]", starts: list[str]) -> Iterator[list[str]]:
    covered: set[str] = set()
    count = 0
    for start in starts:
        if start not in covered and count < CYCLES_PER_COMPONENT_MAX:
            cycle = _shortest_cycle_through(component, start)
            covered.update(cycle)
            count += 1
            yield cycle


def _shortest_cycle_through(component: "nx.DiGraph[str]", start: str) -> list[str]:
    found_by: dict[str, str] = {}
    # Breadth first: the first task that needs `start` closes the shortest cycle.
    for name, by in nx.bfs_predecessors(component, start):
        found_by[name] = by
        if component.has_edge(name, start):
            path = [start, name]
            while path[-1] != start:
                path.append(found_by[path[-1]])
            return path[::-1]
    raise AssertionError(f"{start} is on no cycle, but its component is strongly connected")
