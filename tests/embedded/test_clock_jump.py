"""A wall clock that is set changes what is scheduled by wall time, and no interval."""

import threading
import time
from pathlib import Path
from typing import Any

import pytest

from cerebro.core.model.run import RunSnapshot
from cerebro.embedded.embedded_engine import EmbeddedEngine
from cerebro.embedded.runtime.clock_jump import SteadyClock, shift_deadlines
from cerebro.embedded.storage.home import DiskHome, MemoryHome
from cerebro.ports import DamagedItem
from cordyna_cli.engine import Invoked
from cordyna_core import TaskServer
from cordyna_core.contract.commands import InvokeTask
from world.scenarios import an_engine

HOUR = 3600.0


class Settable:
    """A wall clock that a test sets."""

    def __init__(self) -> None:
        self.offset = 0.0

    def __call__(self) -> float:
        return time.time() + self.offset


def test_steady_clock_adopts_a_jump_only_when_asked() -> None:
    wall, monotonic = [1000.0], [50.0]
    clock = SteadyClock(lambda: wall[0], lambda: monotonic[0])
    assert clock() == 1000.0

    wall[0], monotonic[0] = 4601.0, 51.0
    assert clock() == 1001.0
    assert clock.take_jump() == 3600.0
    assert clock() == 4601.0
    assert clock.take_jump() == 0.0


@pytest.mark.parametrize("drift", [-1.9, 1.9])
def test_steady_clock_ignores_a_small_drift(drift: float) -> None:
    wall = [1000.0]
    clock = SteadyClock(lambda: wall[0], lambda: 0.0)
    wall[0] += drift

    assert clock.take_jump() == 0.0
    assert clock() == 1000.0


@pytest.mark.parametrize("jump", [HOUR, -HOUR, 400 * 24 * HOUR])
def test_deadline_after_a_jump_is_as_far_away_as_before(jump: float) -> None:
    world = an_engine("a: x", silent=("x",))
    world.invoke("x")
    world.after(9)
    world.driver.now += jump
    world.driver.loop.on_clock_jump(jump)

    assert world.after(0.5).states() == {"x": "pending dispatched"}
    assert world.after(3).states() == {"x": "error ack_timeout"}


def test_dispatch_moves_with_a_jump() -> None:
    """From it follow the clock of a queued attempt, and the age of a result."""
    world = an_engine("a: x", silent=("x",))
    run_id = world.invoke("x")
    before = world.store.read_task(run_id, 0)
    world.driver.now += HOUR
    world.driver.loop.on_clock_jump(HOUR)

    after = world.store.read_task(run_id, 0)
    assert before is not None
    assert after is not None
    assert after.dispatched_at == before.dispatched_at + HOUR
    assert after.deadline == (before.deadline or 0) + HOUR


def test_retry_wait_after_a_jump_is_as_long_as_before() -> None:
    world = an_engine("a: x", fails=("x",), x={"retries": 1})
    world.invoke("x")
    world.after(2)
    world.driver.now -= HOUR
    world.driver.loop.on_clock_jump(-HOUR)

    world.after(10)

    assert [command.attempt for command in world.commands] == [1, 2]


def test_result_of_a_clock_that_was_ahead_is_not_reused() -> None:
    world = an_engine("a: x")
    world.invoke("x")
    world.driver.now -= HOUR
    world.driver.loop.on_clock_jump(-HOUR)

    world.invoke("x", max_age_s=60)
    assert [command.task for command in world.commands] == ["x", "x"]
    world.invoke("x", max_age_s=60)
    assert [command.task for command in world.commands] == ["x", "x"]


def test_home_of_a_clock_that_was_ahead_reuses_no_result(tmp_path: Path) -> None:
    server, clock, made = TaskServer("s"), Settable(), list[int]()
    server.task(name="a")(lambda: made.append(1))
    for offset in (24 * HOUR, 0.0):
        clock.offset = offset
        with EmbeddedEngine(DiskHome(tmp_path), [server], clock=clock) as engine:
            invoked = engine.invoke(InvokeTask(task="a", max_age_s=60), wait_s=10)
            assert isinstance(invoked, Invoked)
            *_, view = engine.follow(invoked.run_id, timeout_s=10)
            assert view.state == "completed"
    assert made == [1, 1]


def test_run_beside_a_damaged_one_is_shifted(monkeypatch: pytest.MonkeyPatch) -> None:
    world = an_engine("a: x", silent=("x",))
    damaged_run, other = sorted([world.invoke("x"), world.invoke("x")])
    store: Any = world.driver.home.store
    read_run_snapshot, before = store.read_run_snapshot, store.read_task(other, 0)

    def damaged(run_id: str) -> RunSnapshot | None:
        if run_id == damaged_run:
            raise DamagedItem(f"row {run_id} is damaged.")
        snapshot: RunSnapshot | None = read_run_snapshot(run_id)
        return snapshot

    monkeypatch.setattr(store, "read_run_snapshot", damaged)
    shift_deadlines(store, HOUR)

    assert store.read_task(other, 0).deadline == before.deadline + HOUR


@pytest.mark.parametrize("jump", [-HOUR, HOUR])
def test_other_process_is_answered_after_a_jump(tmp_path: Path, jump: float) -> None:
    server, clock = TaskServer("s"), Settable()
    server.task(name="a")(lambda: 1)
    with EmbeddedEngine(DiskHome(tmp_path), [server], clock=clock) as driver:
        driver.tasks()
        events = driver.dev()
        stop = threading.Event()

        def drive() -> None:
            for _ in events:
                if stop.is_set():
                    return

        thread = threading.Thread(target=drive)
        thread.start()
        try:
            clock.offset = jump
            with EmbeddedEngine(DiskHome(tmp_path), [], clock=clock) as other:
                invoked = other.invoke(InvokeTask(task="a"), wait_s=10)
                assert isinstance(invoked, Invoked)
                *_, view = other.follow(invoked.run_id, timeout_s=10)
                assert view.state == "completed"
                stop.set()
                other.invoke(InvokeTask(task="a"), wait_s=10)
        finally:
            stop.set()
            thread.join()


class Pulse:
    """The engine of a server whose cron fires every minute, in virtual time."""

    def __init__(self) -> None:
        self.world = an_engine("a: pulse", pulse={"cron": "* * * * *"})
        self.world.driver.loop.start_crons()

    def invoked(self) -> int:
        return len(self.world.driver.events_of(InvokeTask))


def test_cron_after_a_jump_back_fires_again_at_wall_time() -> None:
    pulse = Pulse()
    pulse.world.after(130)
    assert pulse.invoked() == 2

    pulse.world.driver.now -= 24 * HOUR
    pulse.world.driver.loop.on_clock_jump(-24 * HOUR)
    pulse.world.after(125)

    assert pulse.invoked() == 4


def test_cron_after_a_jump_forward_fires_the_last_tick_only() -> None:
    pulse = Pulse()
    pulse.world.after(130)
    pulse.world.driver.now += HOUR
    pulse.world.driver.loop.on_clock_jump(HOUR)
    pulse.world.driver.settle()

    assert pulse.invoked() == 3


def test_memory_home_under_a_moving_clock_prunes_by_the_end() -> None:
    server, clock = TaskServer("s"), Settable()
    server.task(name="a")(lambda: 1)
    home = MemoryHome(clock)
    with EmbeddedEngine(home, [server], clock=clock) as engine:
        invoked = engine.invoke(InvokeTask(task="a"))
        assert isinstance(invoked, Invoked)
        for _ in engine.follow(invoked.run_id):
            pass
        assert home.prune_step(clock() - 1).runs == 0  # Its end is dated from now on.
        assert home.prune_step(clock() + 1).runs == 1
        assert engine.runs() == []
        assert engine.events(invoked.run_id) == []
