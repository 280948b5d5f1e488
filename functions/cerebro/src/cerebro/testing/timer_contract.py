"""Contract tests of Timers, in virtual time."""

from abc import ABC, abstractmethod
from typing import Final, Protocol

from cerebro.core.internal_messages import FanOut, PageTimer
from cerebro.ports import Timers
from cerebro.testing.examples import OTHER, RUN

DELAY_MAX_S: Final = 2.0
"""How late a timer may fire: deadlines are kept within [0, +2] s (docs/rules.md, rule 17)."""


class Platform(Protocol):
    """Timers, and the virtual time in which they deliver."""

    @property
    def timers(self) -> Timers: ...

    @property
    def now(self) -> float: ...

    def next_delivery(self) -> PageTimer | FanOut | None:
        """Advance to the next delivery and return it; None when nothing is on its way."""
        ...


class TimersContract(ABC):
    """All contract tests of the Timers port. An early timer is sent again, as its handler does."""

    @abstractmethod
    def a_platform(self) -> Platform:
        """New timers."""

    def test_page_timer_fires_when_due(self) -> None:
        self._check_in_time(0.4, 1.0, 9.99, 10.0, 59.5)

    def test_page_timer_a_minute_ahead_fires_when_due(self) -> None:
        self._check_in_time(60.0, 60.01, 61.0, 64.9, 65.1, 66.0, 119.0, 121.0)

    def test_page_timer_far_ahead_fires_when_due(self) -> None:
        self._check_in_time(600.25, 1800.0, 3 * 3600.0, 364 * 24 * 3600.0)

    def test_page_timer_overdue_fires_at_once(self) -> None:
        platform = self.a_platform()
        timer = PageTimer(RUN, 0, platform.now - 90)
        platform.timers.send_page_timer(timer)
        began = platform.now
        assert platform.next_delivery() == timer
        assert platform.now - began <= DELAY_MAX_S

    def test_page_timer_sent_twice_fires(self) -> None:
        for ahead in (5.0, 500.0):
            platform = self.a_platform()
            timer = PageTimer(RUN, 0, platform.now + ahead)
            platform.timers.send_page_timer(timer)
            platform.timers.send_page_timer(timer)
            assert set(_firing_times(platform)) == {timer}

    def test_page_timers_of_other_pages_and_runs_are_distinct(self) -> None:
        for ahead in (5.0, 500.0):
            platform = self.a_platform()
            due = platform.now + ahead
            timers = {
                PageTimer(RUN, 0, due),
                PageTimer(RUN, 1, due),
                PageTimer(OTHER, 0, due),
                PageTimer(RUN, 0, due + 0.001),
            }
            for timer in timers:
                platform.timers.send_page_timer(timer)
            assert set(_firing_times(platform)) == timers

    def test_fan_out_is_delivered_soon_and_unchanged(self) -> None:
        for fan_out in (
            FanOut(RUN, None, 250, "cause-1"),
            FanOut(RUN, 7, 500, 'cause "ü"', repair=True),
        ):
            platform = self.a_platform()
            began = platform.now
            platform.timers.send_fan_out(fan_out)
            assert platform.next_delivery() == fan_out
            assert platform.now - began <= DELAY_MAX_S

    def _check_in_time(self, *aheads: float) -> None:
        for ahead in aheads:
            platform = self.a_platform()
            timer = PageTimer(RUN, 3, platform.now + ahead)
            platform.timers.send_page_timer(timer)
            fired_at = _firing_times(platform)
            assert set(fired_at) == {timer}, ahead
            assert 0 <= fired_at[timer] - timer.due <= DELAY_MAX_S, ahead


def _firing_times(platform: Platform) -> dict[PageTimer, float]:
    """Return when each timer on its way fired, no longer early."""
    fired_at: dict[PageTimer, float] = {}
    while (message := platform.next_delivery()) is not None:
        assert isinstance(message, PageTimer)
        if platform.now < message.due:
            platform.timers.send_page_timer(message)
        else:
            fired_at.setdefault(message, platform.now)
    return fired_at
