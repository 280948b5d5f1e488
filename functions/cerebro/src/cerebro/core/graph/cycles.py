"""Cycles: which tasks need each other in a circle, found with networkx.

It is imported where there is a cycle to tell: networkx takes 85 ms to import, and hardly any declaration has a cycle.

Law: a graph with a cycle shows at least one of each knot of tasks that need each other, the shortest through its first task.
"""

from collections.abc import Collection, Iterator
from typing import Final

import networkx as nx

from cerebro.core.graph.graph import Graph

CYCLES_PER_COMPONENT_MAX: Final = 5
"""A knot may hold more cycles than atoms in the universe; mending these shows what is left."""


def cycles_of(graph: Graph, among: Collection[str]) -> list[list[str]]:
    """Cycles through tasks of `among` as [x, y, x]: x needs y, y needs x. Self-upstreams are not looked for.

    Only what has no order becomes a network.
    """
    network = _network(graph)
    knots = [knot for knot in nx.strongly_connected_components(network) if len(knot) > 1]
    place = {name: at for at, name in enumerate(graph.without_order)}
    found: list[list[str]] = []
    for knot in sorted(knots, key=lambda knot: min(place[name] for name in knot)):
        starts = sorted(knot.intersection(among), key=place.__getitem__)
        found += _cycles_in(network.subgraph(knot).copy(), starts)
    return found


def _network(graph: Graph) -> "nx.DiGraph[str]":
    network: nx.DiGraph[str] = nx.DiGraph()
    stuck = set(graph.without_order)
    for name in graph.without_order:
        network.add_edges_from(
            (name, needed) for needed in graph[name].task.upstream_names if needed in stuck
        )
    return network


def _cycles_in(knot: "nx.DiGraph[str]", starts: list[str]) -> Iterator[list[str]]:
    covered: set[str] = set()
    told = 0
    for start in starts:
        if start not in covered and told < CYCLES_PER_COMPONENT_MAX:
            cycle = _shortest_through(knot, start)
            covered.update(cycle)
            told += 1
            yield cycle


def _shortest_through(knot: "nx.DiGraph[str]", start: str) -> list[str]:
    found_by: dict[str, str] = {}
    # Breadth first: the first one that needs `start` again closes the shortest cycle.
    for name, by in nx.bfs_predecessors(knot, start):
        found_by[name] = by
        if knot.has_edge(name, start):
            way = [start, name]
            while way[-1] != start:
                way.append(found_by[way[-1]])
            return way[::-1]
    raise AssertionError(f"{start} is on no cycle, though its knot is strongly connected")
