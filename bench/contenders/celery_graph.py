"""Celery: canvas on Redis, with a worker of two processes; chains and chords only."""

import os
import subprocess
import sys

from celery import Celery, Signature, chain, chord
from turns import graph_of_arguments, report

app = Celery("celery_graph", broker=os.environ["REDIS_URL"], backend=os.environ["REDIS_URL"])
app.conf.worker_prefetch_multiplier = 4


@app.task
def body() -> None:
    pass


def canvas_of(graph: dict[str, list[str]]) -> Signature | None:
    """Return a new canvas of a chain, or of one task, many downstream of it, and one of them all.

    It has the ids of its tasks, so each run needs its own.
    """
    names = list(graph)
    if all(len(upstream) <= 1 for upstream in graph.values()):
        return chain(body.si() for _ in names)
    middle = [name for name in names if graph[name] == names[:1]]
    if len(middle) == len(names) - 2 and set(graph[names[-1]]) == set(middle):
        return chain(body.si(), chord([body.si() for _ in middle], body.si()))
    return None


if __name__ == "__main__":
    graph, turns = graph_of_arguments()
    if canvas_of(graph) is None:
        sys.exit("a canvas of Celery cannot be this graph")
    command = [sys.executable, "-m", "celery", "-A", "celery_graph", "worker", "-c", "2"]
    worker = subprocess.Popen([*command, "-l", "ERROR"], stdout=sys.stderr)
    try:
        report("celery", lambda: canvas_of(graph).apply_async().get(timeout=120), turns)
    finally:
        worker.terminate()
        worker.wait()
