"""What each program of this folder does around its product: read a graph, take turns, report.

It imports nothing but the standard library, because it runs in the environment of each product.
"""

import json
import sys
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

LONG_S = 30.0
"""A graph that takes longer is run once; no further turn begins after twice this time."""

Graph = dict[str, list[str]]
"""Task -> its upstreams, in topological order; the last task is invoked."""


def graph_of_arguments() -> tuple[Graph, int]:
    """Return the graph of the file that is named first, and how many turns are asked for."""
    return json.loads(Path(sys.argv[1]).read_text()), int(sys.argv[2])


def report(package: str, run: Callable[[], object], turns: int) -> None:
    """Run a graph once to warm up, then at most `turns` times; print version and seconds."""
    seconds = [timed(run)]
    if seconds[0] < LONG_S:
        seconds = []
        while len(seconds) < turns and sum(seconds) < 2 * LONG_S:
            seconds.append(timed(run))
    print(json.dumps({"version": version(package), "seconds": seconds}))


def timed(run: Callable[[], object]) -> float:
    """Return how many seconds it took."""
    start = time.perf_counter()
    run()
    return time.perf_counter() - start
