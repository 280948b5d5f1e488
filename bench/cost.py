"""The price of a run on AWS: calls counted on botocore's hooks, for several sizes and both timers.

The rows of bodies that begin and end soon come first, as servers report them by default, with a
work queue or without: only their end (docs/deploying.md#costs). Then those of the other BODIES.
What a server pays itself (its Lambda, its claims, its work queue) is in a table of its own.

    python bench/cost.py           the tables
    python bench/cost.py --json    the same for programs: `runs`, `runs_of_other_bodies`, `servers`

Cerebro's handlers and adapters run on moto. Counts do not depend on the machine;
`tests/adapters/test_budget.py` asserts them.
"""

import argparse
import json
from collections.abc import Callable
from itertools import product
from typing import Any, Final

import prices
from aws_world import AwsWorld
from counting import Counts
from graphs import GRAPHS, Graph, chain, fan, layered, single
from server_share import shares

from cordyna_core.contract.base import State

BUDGET: Final = {"events": 2.1, "writes": 2.1, "reads": 5.0, "invocations": 1.1}
"""Per task with three upstreams, in runs of 100 tasks and more, of bodies that end soon."""

PRICE_PER_MILLION_MAX: Final = {1: 6.0, 10: 5.0}
"""Dollars per million tasks, by batch size, without Lambda's time, logs and archive."""

LARGEST: Final = "500 tasks, 1,500 edges"
RUNS: Final[dict[str, Callable[[], Graph]]] = {
    "one": single,
    "chain of 3": lambda: chain(3),
    "1-8-1": lambda: fan(8),
    "chain of 100": chain,
    LARGEST: layered,
}
TIMERS: Final = ("states", "queue")
SHORT_BODY: Final = "begins and ends soon"
BODIES: Final[dict[str, tuple[State, ...]]] = {
    SHORT_BODY: ("completed",),
    "takes more than a second": ("started", "completed"),
    "waits for a worker": ("queued", "completed"),
    "waits, and takes more than a second": ("queued", "started", "completed"),
}
"""Kinds of bodies -> what a server reports of them."""

_RUNS_UNTIL_WARM: Final = 4
"""After as many runs of one task, each with an update or two, all warm trackers know it."""

_WARM_AFTER_TASKS: Final = 10
"""A run of as many tasks reaches each warm tracker by itself."""

ROWS: Final[dict[str, Callable[[Counts], float]]] = {
    "events": lambda counts: counts.events,
    "writes": lambda counts: counts.writes,
    "reads": lambda counts: counts.reads,
    "invocations": lambda counts: counts.invocations,
    "queue requests": lambda counts: counts.queue_requests,
    "timers": lambda counts: counts.waits + counts.schedules,
    "calls": lambda counts: counts.calls.total(),
}


def requests_price(counts: Counts) -> float:
    """Return dollars for a million times these counts, without Lambda's time."""
    return sum(parts_of_price(counts).values())


def parts_of_price(counts: Counts) -> dict[str, float]:
    """Return the same by service."""
    waited = counts.waited_s * prices.WAIT_GB * prices.WAIT_GB_SECOND.per_million
    return {
        "events": counts.events * prices.EVENT.per_million,
        "table": counts.writes * prices.WRITE.per_million + counts.reads * prices.READ.per_million,
        "queues": counts.queue_requests * prices.QUEUE_REQUEST.per_million,
        "invocations": counts.invocations * prices.INVOCATION.per_million,
        "waits": counts.waits * prices.WAIT.per_million + waited,
        "schedules": counts.schedules * prices.SCHEDULE.per_million,
    }


def time_price(counts: Counts) -> float:
    """Return dollars for a million times Lambda's time, with the assumptions of `prices`."""
    spent_ms = (
        sum(prices.CALL_MS[call] * times for call, times in counts.calls.items())
        + prices.OWN_MS * counts.messages
    )
    return spent_ms / 1000 * prices.LAMBDA_GB * prices.GB_SECOND.per_million


def log_price(counts: Counts) -> float:
    """Return dollars for a million times these events in the log of events."""
    return counts.event_bytes / 1e6 * prices.LOGGED_MB.per_million


def measure(graph: Graph, batch: int, timers: str = "states", *, body: str = SHORT_BODY) -> Counts:
    """Return a run of a graph that all warm processes know: declarations, plan and signs of life.

    At the rate for which the price is given, a million tasks, every warm process has handled
    several runs of a graph within the minute.
    """
    with AwsWorld(batch, timers, reported=BODIES[body]) as world:
        world.declare(graph)
        for _ in range(_RUNS_UNTIL_WARM if len(graph) < _WARM_AFTER_TASKS else 1):
            world.run(graph)
        return world.run(graph)


def runs() -> list[dict[str, Any]]:
    """Return the price of runs of every size with both kinds of timers, one message at a time."""
    return [row(SHORT_BODY, timers, shape) for timers, shape in product(TIMERS, RUNS)]


def runs_of_other_bodies() -> list[dict[str, Any]]:
    """Return the same for every other kind of body, without the largest run, which takes long."""
    others = [body for body in BODIES if body != SHORT_BODY]
    shapes = [shape for shape in RUNS if shape != LARGEST]
    return [row(body, timers, shape) for body, timers, shape in product(others, TIMERS, shapes)]


def row(body: str, timers: str, shape: str) -> dict[str, Any]:
    """Return the price of one run, for each of its tasks."""
    graph = RUNS[shape]()
    counts, tasks = measure(graph, 1, timers, body=body), len(graph)
    return {
        "timers": timers,
        "shape": shape,
        "tasks": tasks,
        "body": body,
        "usd_per_million_tasks": round(requests_price(counts) / tasks, 2),
        "lambda_usd_per_million_tasks": round(time_price(counts) / tasks, 2),
        "log_usd_per_million_tasks": round(log_price(counts) / tasks, 2),
        "parts": {name: round(price / tasks, 2) for name, price in parts_of_price(counts).items()},
    }


def report_runs() -> None:
    """Print the price per million tasks by kind of body and timers, and size of the run."""
    columns = ("requests", "Lambda", "log", "events", "table", "queues", "waits")
    body = ""
    for priced in (*runs(), *runs_of_other_bodies()):
        if priced["body"] != body:
            body = priced["body"]
            title = f"$ per million tasks whose body {body}"
            print(f"\n{title:58}{'tasks':>8}" + "".join(f"{column:>10}" for column in columns))
        cells = (
            priced["usd_per_million_tasks"],
            priced["lambda_usd_per_million_tasks"],
            priced["log_usd_per_million_tasks"],
            *(priced["parts"][name] for name in ("events", "table", "queues", "waits")),
        )
        print(
            f"{priced['timers']}, {priced['shape']}".ljust(58)
            + f"{priced['tasks']:8}"
            + "".join(f"{cell:10.2f}" for cell in cells)
        )


def report_tasks() -> None:
    """Print the counts per task of large runs, one message at a time and in batches of ten."""
    for batch, most in PRICE_PER_MILLION_MAX.items():
        columns = {
            title: (measure(graph := make(), batch), len(graph)) for title, make in GRAPHS.items()
        }
        print(
            f"\n{'one message at a time' if batch == 1 else f'batches of up to {batch}':24}"
            + "".join(f"{title:>24}" for title in columns)
            + f"{'at most':>12}"
        )
        for row, value in ROWS.items():
            cells = "".join(f"{value(counts) / size:24.2f}" for counts, size in columns.values())
            print(f"{row:24}{cells}{BUDGET.get(row, ''):>12}")
        for row, price in {
            "$ per million tasks": requests_price,
            "  and for Lambda's time": time_price,
        }.items():
            cells = "".join(f"{price(counts) / size:24.2f}" for counts, size in columns.values())
            print(f"{row:24}{cells}{most if price is requests_price else '':>12}")


def report_servers() -> None:
    """Print what a server pays itself for a million commands."""
    columns = ("invocations", "claims", "queues", "Lambda")
    title = "$ per million commands, paid by a server"
    print(f"\n{title:58}" + "".join(f"{column:>13}" for column in columns))
    for kind, parts in shares().items():
        print(f"{kind:58}" + "".join(f"{parts[column]:13.2f}" for column in columns))


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description="The price of a run on AWS")
    parser.add_argument("--json", action="store_true")
    if parser.parse_args().json:
        others = runs_of_other_bodies()
        print(json.dumps({"runs": runs(), "runs_of_other_bodies": others, "servers": shares()}))
    else:
        report_runs()
        report_servers()
        report_tasks()


if __name__ == "__main__":
    main()
