"""Time per task of this checkout beside another one, alternating in one run.

    python bench/beside.py ../older

Each checkout runs in a process of its own, with its own `.venv` and `bench/embedded.py`. They take
turns, one run of a graph at a time, so that noise of the machine hits both. The ratio of the
processor times is the steadiest figure on a machine that does other work as well.
"""

import importlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

TURNS = 30


class Times(NamedTuple):
    """Of one run of a graph, in ms per task."""

    elapsed: float
    processor: float


def serve_turns() -> None:
    """Answer each line of stdin with the times of one run of every graph. The child's side."""
    # The modules of the checkout whose Python runs this, which may be older than this file.
    embedded: Any = importlib.import_module("embedded")
    graphs: Any = importlib.import_module("graphs")

    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        turns = {}
        for number, (title, make) in enumerate(graphs.GRAPHS.items()):
            graph = make()
            homes = {
                "memory": embedded.MemoryHome(),
                "SQLite": embedded.DiskHome(Path(folder) / str(number)),
            }
            for kind, home in homes.items():
                turn = stack.enter_context(embedded.cordyna(graph, home))
                turn()  # warm
                turns[f"{title}, {kind}"] = (turn, len(graph))
        print("ready", flush=True)
        for _ in sys.stdin:
            times = {}
            for title, (turn, tasks) in turns.items():
                began = time.process_time()
                elapsed = turn()
                used = time.process_time() - began
                times[title] = (elapsed * 1000 / tasks, used * 1000 / tasks)
            print(json.dumps(times), flush=True)


@contextmanager
def _checkout(path: Path) -> Iterator["subprocess.Popen[str]"]:
    child = subprocess.Popen(
        # As text: a file would put its own folder, and its modules, before those of the checkout.
        [str(path / ".venv/bin/python"), "-c", Path(__file__).read_text()],
        cwd=path,
        env={**os.environ, "PYTHONPATH": str(path / "bench")},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield child
    finally:
        assert child.stdin is not None
        child.stdin.close()
        child.wait()


def _ask(child: "subprocess.Popen[str]") -> dict[str, Times]:
    assert child.stdin is not None
    assert child.stdout is not None
    child.stdin.write("turn\n")
    child.stdin.flush()
    return {title: Times(*times) for title, times in json.loads(child.stdout.readline()).items()}


def compare(here: Path, other: Path) -> None:
    """Print one row per graph and store, with the ratio of `here` to `other`."""
    measured: dict[Path, list[dict[str, Times]]] = {other: [], here: []}
    with _checkout(other) as first, _checkout(here) as second:
        children = {other: first, here: second}
        for child in children.values():
            assert child.stdout is not None
            assert child.stdout.readline() == "ready\n", "it did not start"
        for turn in range(TURNS):
            order = list(children.items())
            for path, child in order if turn % 2 else order[::-1]:
                measured[path].append(_ask(child))
    print(f"{'ms per task':34}{'other':>8}{'here':>8}{'ratio':>8}{'processor time':>16}")
    for title in measured[here][0]:
        old, new = (
            Times(
                *map(
                    statistics.median, zip(*(times[title] for times in measured[path]), strict=True)
                )
            )
            for path in (other, here)
        )
        print(
            f"{title:34}{old.elapsed:8.3f}{new.elapsed:8.3f}{new.elapsed / old.elapsed:7.2f}x"
            f"{new.processor / old.processor:15.2f}x"
        )


if __name__ == "__main__":
    if len(sys.argv) > 1:
        compare(Path(__file__).resolve().parents[1], Path(sys.argv[1]).resolve())
    else:
        serve_turns()
