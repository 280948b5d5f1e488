"""Prefect: a flow whose tasks are submitted to threads, with its own API server on SQLite."""

import os
import tempfile

os.environ |= {
    "PREFECT_HOME": tempfile.mkdtemp(),
    "PREFECT_LOGGING_LEVEL": "CRITICAL",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "120",
}

from prefect import flow, task
from prefect.task_runners import ThreadPoolTaskRunner
from turns import graph_of_arguments, report

graph, turns = graph_of_arguments()


@task
def body() -> None:
    pass


@flow(task_runner=ThreadPoolTaskRunner(max_workers=8))
def run_graph() -> None:
    futures = {}
    for name, upstream in graph.items():
        futures[name] = body.submit(wait_for=[futures[one] for one in upstream])
    futures[next(reversed(graph))].result()


if __name__ == "__main__":
    report("prefect", run_graph, turns)
