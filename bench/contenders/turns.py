"""What each program of this folder does around its product: read a graph, take turns, report.

It imports nothing but the standard library, because it runs in the environment of each product.
"""

import json
import sys
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

LONG_S = 60.0
"""No further turn begins after this time."""

Graph = dict[str, list[str]]
"""Task -> its upstreams, in topological order; the last task is invoked."""


def graph_of_arguments() -> tuple[Graph, int]:
    """Return the graph of the file that is named first, and how many turns are asked for."""
    return json.loads(Path(sys.argv[1]).read_text()), int(sys.argv[2])


def report(package: str, run: Callable[[], object], turns: int) -> None:
    """Run a graph once to warm up, then at most `turns` times; print version and seconds."""
    run()
    seconds: list[float] = []
    while len(seconds) < turns and sum(seconds) < LONG_S:
        start = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - start)
    print(json.dumps({"version": version(package), "seconds": seconds}))
