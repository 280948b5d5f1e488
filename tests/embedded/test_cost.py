"""The cost of an event does not depend on the size of the run, also in a failing or retried one.

Counted are reads of facts, not seconds.
"""

from collections.abc import Callable
from typing import Any

import pytest

from world.scenarios import an_engine

SMALL, LARGE = 40, 160


def reads_per_task(monkeypatch: pytest.MonkeyPatch, run: Callable[[Any], None], size: int) -> float:
    """Facts read, per task of a chain of `size`, while `run` runs it."""
    chain = " ".join(f"c{n}<-c{n - 1}" if n else "c0" for n in range(size))
    world = an_engine(f"a: {chain}  bad  both<-bad,c{size - 1}", fails=("bad",))
    store, count = world.driver.home.store, 0
    read_page, read_task = store.read_page, store.read_task

    def counted_page(*arguments: Any, **options: Any) -> Any:
        nonlocal count
        facts = read_page(*arguments, **options)
        count += len(facts)
        return facts

    def counted_task(*arguments: Any, **options: Any) -> Any:
        nonlocal count
        count += 1
        return read_task(*arguments, **options)

    monkeypatch.setattr(store, "read_page", counted_page)
    monkeypatch.setattr(store, "read_task", counted_task)
    settle = world.driver.settle

    def settle_one_by_one() -> None:
        # As the driver does: whenever nothing waits, it looks for runs that have ended.
        while world.driver.loop.step():
            if world.driver.loop.is_idle:
                world.driver.loop.end_idle_failing_runs()
        settle()
        world.driver.loop.end_idle_failing_runs()

    monkeypatch.setattr(world.driver, "settle", settle_one_by_one)
    run(world)
    return count / size


def failing(world: Any) -> None:
    world.invoke("both")
    assert world.run().state == "error"


def test_failing_run_reads_as_much_per_event_at_any_size(monkeypatch: pytest.MonkeyPatch) -> None:
    small = reads_per_task(monkeypatch, failing, SMALL)
    large = reads_per_task(monkeypatch, failing, LARGE)

    assert large < 1.5 * small


def retried(world: Any) -> None:
    world.driver.fails.add("c0")
    world.invoke("both")
    world.driver.fails.discard("c0")
    world.retry("c0")
    assert world.run().state == "error", "bad is still bad"


def test_retried_run_reads_as_much_per_event_at_any_size(monkeypatch: pytest.MonkeyPatch) -> None:
    small = reads_per_task(monkeypatch, retried, SMALL)
    large = reads_per_task(monkeypatch, retried, LARGE)

    assert large < 1.5 * small
