"""The clock of a load: a server that hangs fails, one that gets no processor does not."""

from cordyna_core.worker.host.load_clock import LoadClock
from cordyna_core.worker.host.loop import Loop
from cordyna_core.worker.processes import Progress
from cordyna_core.worker.settings import Settings

SETTINGS = Settings(load_timeout_s=30.0, load_limit_s=300.0)


class World:
    """A loop on virtual time, and the load of one server. `state`: of its process."""

    def __init__(self, cpu_share: float, state: str) -> None:
        self.now, self.limits = 100.0, list[float]()
        self._loop = Loop(lambda: self.now)
        self.clock = LoadClock(self._loop, SETTINGS, self._timed_out)
        self._begin = self.now
        self._cpu_share, self._state = cpu_share, state

    def _timed_out(self, limit_s: float) -> None:
        self.clock.stop()
        self.limits.append(limit_s)

    def progress(self) -> Progress | None:
        return Progress(self._state, self._cpu_share * (self.now - self._begin))

    def run_until(self, until_s: float) -> None:
        while self.now - self._begin < until_s:
            self.now += min(0.5, until_s - (self.now - self._begin))
            self._loop.timers.fire_due()

    def close(self) -> None:
        self._loop.close()


def test_server_that_sleeps_fails_after_its_time() -> None:
    world = World(cpu_share=0.0, state="S")
    world.clock.watch(world.progress)

    world.run_until(29.5)
    assert world.limits == []
    world.run_until(30.5)
    assert world.limits == [30.0]
    world.run_until(400)
    assert world.limits == [30.0]
    world.close()


def test_server_in_an_endless_loop_fails_after_its_time() -> None:
    world = World(cpu_share=1.0, state="R")
    world.clock.watch(world.progress)
    world.run_until(31)

    assert world.limits == [30.0]
    world.close()


def test_server_that_gets_an_eighth_has_eight_times_as_long() -> None:
    world = World(cpu_share=0.125, state="R")
    world.clock.watch(world.progress)

    world.run_until(235)
    assert world.limits == []
    world.run_until(245)
    assert world.limits == [30.0]
    world.close()


def test_server_that_gets_nothing_fails_after_the_limit() -> None:
    world = World(cpu_share=0.0, state="D")
    world.clock.watch(world.progress)

    world.run_until(299)
    assert world.limits == []
    world.run_until(301)
    assert world.limits == [300.0]
    world.close()


def test_all_time_counts_where_the_system_says_nothing() -> None:
    world = World(cpu_share=0.0, state="R")
    world.clock.watch(lambda: None)
    world.run_until(31)

    assert world.limits == [30.0]
    world.close()


def test_load_clock_that_is_stopped_calls_no_more() -> None:
    world = World(cpu_share=0.0, state="S")
    world.run_until(10)
    world.clock.stop()
    world.run_until(400)

    assert not world.clock.is_running
    assert world.limits == []
    world.close()
