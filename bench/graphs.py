"""The three graphs on which the figures of this folder are measured."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Final

Graph = dict[str, tuple[str, ...]]
"""Task -> its upstreams, in topological order; the last task is invoked."""


def chain(size: int = 100) -> Graph:
    """t0 <- t1 <- ...: nothing overlaps, so this measures the latency of a hop."""
    return {f"t{n}": (f"t{n - 1}",) if n else () for n in range(size)}


def fan(width: int = 200) -> Graph:
    """Return one task, `width` tasks downstream of it, one task downstream of them all."""
    middle = {f"t{n}": ("first",) for n in range(width)}
    return {"first": (), **middle, "last": tuple(middle)}


def layered() -> Graph:
    """500 tasks in 20 layers with 1,500 edges, recorded, and a target downstream of all sinks."""
    recorded = json.loads((Path(__file__).parent / "dag500.json").read_text())
    upstream: dict[int, list[str]] = {n: [] for n in range(recorded["n"])}
    for source, user in recorded["edges"]:
        upstream[user].append(f"t{source}")
    used = {source for source, _ in recorded["edges"]}
    graph: Graph = {f"t{n}": tuple(sources) for n, sources in upstream.items()}
    return {**graph, "last": tuple(f"t{n}" for n in upstream if n not in used)}


def single() -> Graph:
    """Return one task without upstreams, as most crons are."""
    return {"t0": ()}


GRAPHS: Final[dict[str, Callable[[], Graph]]] = {
    "chain of 100": chain,
    "1-200-1": fan,
    "500 tasks, 1,500 edges": layered,
}
