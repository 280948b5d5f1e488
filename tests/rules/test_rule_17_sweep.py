"""Rule 17: the sweep reaches every page of every active run, however little time it has."""

from collections.abc import Callable, Iterator
from itertools import count

from cerebro.handlers.sweep import (
    BACKDATED_S,
    SWEEP_INTERVAL_S,
    SweepProgress,
    sweep_shards,
)
from cerebro.simulator.parts.sizes import Sizes, sizes
from world.scenarios import ReactionWorld, a_run, a_world

RUNS = [f"{first}{rest}" for first in "058CGHPXZ" for rest in "1Z"]
NEW = ["71", "KZ"]


class Marks:
    """Implements ActivePages with one partition: each run has two pages."""

    def active_pages(self, shard: int, after: str = "") -> Iterator[tuple[str, int]]:
        yield from ((run_id, 2) for run_id in RUNS if run_id > after)

    def new_active_pages(self, shard: int) -> Iterator[tuple[str, int]]:
        yield from ((run_id, 2) for run_id in NEW)


def swept(world: ReactionWorld, keep_going: Callable[[], bool]) -> tuple[SweepProgress, list[str]]:
    """The progress of the next sweep, and the runs that it reached, in order."""
    world.driver.lose_page_timers()
    world.now += SWEEP_INTERVAL_S
    progress = sweep_shards(world.driver.ports, Marks(), [0], keep_going)
    timers = [
        timer for *_, timer in sorted(world.driver.pending_timers, key=lambda entry: entry[1])
    ]
    assert {timer.due for timer in timers} <= {world.now - BACKDATED_S}
    runs = [timer.run_id for timer in timers if timer.page == 0]
    assert [(timer.run_id, timer.page) for timer in timers] == [
        (run_id, page) for run_id in runs for page in (0, 1)
    ]
    return progress, runs


def after(runs: int) -> Callable[[], bool]:
    """Time for so many runs."""
    numbers = count(1)
    return lambda: next(numbers) <= runs


def test_sweep_reaches_each_run_once() -> None:
    world = a_world("a")
    for _ in range(33):
        progress, runs = swept(world, lambda: True)
        assert sorted(runs) == sorted(RUNS + NEW)
        assert progress == SweepProgress(len(runs), 2 * len(runs), runs[-1], is_finished=True)


def test_sweep_without_time_says_how_far_it_came() -> None:
    progress, runs = swept(a_world("a"), after(3))
    assert progress == SweepProgress(3, 6, runs[-1], is_finished=False)


def test_each_run_is_reached_by_one_of_the_next_sweeps() -> None:
    world = a_world("a")
    reached = {run_id for _ in range(96) for run_id in swept(world, after(2))[1]}
    assert reached == {*RUNS, *NEW}


def test_each_third_sweep_begins_with_new_runs() -> None:
    world = a_world("a")
    first = [swept(world, lambda: True)[1][0] for _ in range(9)]
    assert [run_id in NEW for run_id in first].count(True) == 3


@sizes(Sizes(page=1))
def test_sweep_of_an_engine_covers_all_pages() -> None:
    world = a_run("a  b  c<-a,b")
    world.driver.lose_page_timers()
    assert world.driver.sweep() == 3
    assert {timer.page for timer in world.driver.page_timers} == {0, 1, 2}
    assert {timer.due for timer in world.driver.page_timers} == {world.now - BACKDATED_S}


def test_sweep_without_time_sends_nothing_more() -> None:
    world = a_world("a")
    for key in ("k", "l"):
        world.invoke("a", key=key)
    assert world.driver.sweep(after(1)) == 1
