"""The cost of a task on AWS: calls counted on botocore's hooks, and the price of a million tasks.

    python bench/cost.py

The real handlers and adapters on moto. Counts do not depend on the machine;
`tests/adapters/test_budget.py` asserts them.
"""

from collections.abc import Callable
from typing import Final

import prices
from aws_world import AwsWorld
from counting import Counts
from graphs import GRAPHS, Graph

BUDGET: Final = {"events": 3.0, "writes": 3.0, "reads": 9.0, "invocations": 2.0}
"""Per task with three upstreams, in runs of 100 tasks and more."""

PRICE_PER_MILLION_MAX: Final = {1: 9.0, 10: 7.0}
"""Dollars per million tasks, by batch size."""

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
    """Dollars for a million times these counts, without Lambda's time."""
    return (
        counts.events * prices.EVENT.per_million
        + counts.writes * prices.WRITE.per_million
        + counts.reads * prices.READ.per_million
        + counts.queue_requests * prices.QUEUE_REQUEST.per_million
        + counts.invocations * prices.INVOCATION.per_million
        + counts.waits * prices.WAIT.per_million
        + counts.waited_s * prices.WAIT_GB * prices.WAIT_GB_SECOND.per_million
        + counts.schedules * prices.SCHEDULE.per_million
    )


def time_price(counts: Counts) -> float:
    """Dollars for a million times Lambda's time, with the assumptions of `prices`."""
    spent_ms = (
        sum(prices.CALL_MS[call] * times for call, times in counts.calls.items())
        + prices.OWN_MS * counts.messages
    )
    return spent_ms / 1000 * prices.LAMBDA_GB * prices.GB_SECOND.per_million


def measure(graph: Graph, batch: int) -> Counts:
    """The second run of a graph: its declarations and its plan are known, as on any day but the
    first.
    """
    with AwsWorld(batch) as world:
        world.declare(graph)
        world.run(graph)
        return world.run(graph)


def report() -> None:
    """A table for messages handled one by one, and one for batches of ten."""
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


if __name__ == "__main__":
    report()
