"""Timer laws: what every Timers keeps, in virtual time."""

from abc import ABC, abstractmethod
from typing import Final, Protocol

from cerebro.core.effects import FanOut, PageTimer
from cerebro.ports import Timers
from cerebro.testing.examples import OTHER, RUN

LATE_S: Final = 2.0
"""A ring may be this late: the clocks of section 9 are kept within [0, +2] s."""


class Platform(Protocol):
    """Timers, and the virtual time in which they deliver."""

    @property
    def timers(self) -> Timers: ...

    @property
    def now(self) -> float: ...

    def next_delivery(self) -> PageTimer | FanOut | None:
        """Go on to when the next message is delivered, and take it; None when nothing is under way."""
        ...


class TimersContract(ABC):
    """All laws of the Timers port. An early ring is sent on, as its guardian does."""

    @abstractmethod
    def a_platform(self) -> Platform:
        """Timers that nothing was given yet."""

    def test_a_ring_comes_when_it_is_due(self) -> None:
        self._in_time(0.4, 1.0, 9.99, 10.0, 59.5)

    def test_a_ring_about_a_minute_ahead_comes_when_it_is_due(self) -> None:
        self._in_time(60.0, 60.01, 61.0, 64.9, 65.1, 66.0, 119.0, 121.0)

    def test_a_far_ring_comes_when_it_is_due(self) -> None:
        self._in_time(600.25, 1800.0, 3 * 3600.0, 364 * 24 * 3600.0)

    def test_a_ring_that_is_overdue_comes_at_once(self) -> None:
        platform = self.a_platform()
        ring = PageTimer(RUN, 0, platform.now - 90)
        platform.timers.send_page_timer(ring)
        begun = platform.now
        assert platform.next_delivery() == ring
        assert platform.now - begun <= LATE_S

    def test_a_ring_that_is_sent_twice_comes(self) -> None:
        for ahead in (5.0, 500.0):
            platform = self.a_platform()
            ring = PageTimer(RUN, 0, platform.now + ahead)
            platform.timers.send_page_timer(ring)
            platform.timers.send_page_timer(ring)
            assert set(_rung(platform)) == {ring}

    def test_rings_of_other_pages_and_runs_are_other_rings(self) -> None:
        for ahead in (5.0, 500.0):
            platform = self.a_platform()
            due = platform.now + ahead
            rings = {
                PageTimer(RUN, 0, due),
                PageTimer(RUN, 1, due),
                PageTimer(OTHER, 0, due),
                PageTimer(RUN, 0, due + 0.001),
            }
            for ring in rings:
                platform.timers.send_page_timer(ring)
            assert set(_rung(platform)) == rings

    def test_a_walk_comes_soon_and_as_it_was_sent(self) -> None:
        for walk in (
            FanOut(RUN, None, 250, "cause-1"),
            FanOut(RUN, 7, 500, 'cause "ü"', repair=True),
        ):
            platform = self.a_platform()
            begun = platform.now
            platform.timers.send_fan_out(walk)
            assert platform.next_delivery() == walk
            assert platform.now - begun <= LATE_S

    def _in_time(self, *aheads: float) -> None:
        for ahead in aheads:
            platform = self.a_platform()
            ring = PageTimer(RUN, 3, platform.now + ahead)
            platform.timers.send_page_timer(ring)
            rung = _rung(platform)
            assert set(rung) == {ring}, ahead
            assert 0 <= rung[ring] - ring.due <= LATE_S, ahead


def _rung(platform: Platform) -> dict[PageTimer, float]:
    """When each ring that is under way came and was not early any more."""
    rung: dict[PageTimer, float] = {}
    while (message := platform.next_delivery()) is not None:
        assert isinstance(message, PageTimer)
        if platform.now < message.due:
            platform.timers.send_page_timer(message)
        else:
            rung.setdefault(message, platform.now)
    return rung
