"""Start hold: a body that ends soon reports its end only, and nothing about it is lost."""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cordyna_core import Context
from cordyna_core.contract.base import Message
from cordyna_core.contract.state_updates import TaskStateChanged
from cordyna_core.contract.time import utc
from cordyna_core.start_hold import AT_ONCE, CLOCK_MARGIN_S, StartHold, Stop, thread_timer
from cordyna_core.testing import MemoryClaims, an_update
from server.builders import NOW, a_command, a_server, run, states

BEGIN = 1_790_000_000.0


@dataclass
class VirtualTime:
    """A clock, a timer and a bus for one attempt. Time passes while the body runs."""

    now: float = BEGIN
    failures: int = 0
    """How often the bus fails from now on."""
    published: list[tuple[float, TaskStateChanged]] = field(default_factory=list)
    _due: float | None = None
    _delay_s: float = 0.0
    _send: Callable[[], bool] = bool

    def timer(self, delay_s: float, started: TaskStateChanged, send: Callable[[], bool]) -> Stop:
        self._due, self._delay_s, self._send = self.now + delay_s, delay_s, send

        def stop() -> bool:
            self._due = None
            return False

        return stop

    def pass_until(self, end: float) -> None:
        while self._due is not None and self._due <= end:
            self.now = self._due
            self._due = None if self._send() else self._due + self._delay_s
        self.now = end

    def publish(self, messages: Sequence[Message]) -> None:
        if self.failures:
            self.failures -= 1
            raise ConnectionError("no bus")
        for message in messages:
            assert isinstance(message, TaskStateChanged)
            self.published.append((self.now, message))

    def run(
        self,
        body: Callable[..., object],
        *,
        after_s: float,
        queued: bool = False,
    ) -> None:
        command = a_command(ack_by=utc(BEGIN + 10), start_by=utc(BEGIN + 610))
        hold = StartHold(after_s, self.timer)
        clock = lambda: self.now  # noqa: E731
        a_server(task_1=body).run(command, bus=self, clock=clock, hold=hold, queued=queued)

    @property
    def states(self) -> list[tuple[float, str]]:
        """When each state was published, in seconds since the beginning."""
        return [(at - BEGIN, update.state) for at, update in self.published]


def lasting(time: VirtualTime, duration: float, *, fails: bool = False) -> Callable[[], int]:
    def body() -> int:
        time.pass_until(time.now + duration)
        if fails:
            raise ValueError("no rows")
        return 1

    return body


def test_body_that_ends_within_the_hold_sends_its_end_only() -> None:
    time = VirtualTime()
    time.run(lasting(time, 1.5), after_s=2)
    assert time.states == [(1.5, "completed")]
    assert time.published[0][1].started_at == utc(BEGIN)


def test_started_that_its_timer_sent_is_an_event_of_the_attempt() -> None:
    """The timer may be another process, which sends it without this one."""
    hold = StartHold(2, lambda *_: lambda: True)
    command = a_command(ack_by=utc(NOW + 10), start_by=utc(NOW + 610))
    result, published = run(a_server(task_1=lambda: 1), command, hold=hold)
    assert result is not None
    assert (states(result.events), states(published)) == (["started", "completed"], ["completed"])


def test_body_that_outlasts_the_hold_sends_started_then() -> None:
    time = VirtualTime()
    time.run(lasting(time, 30), after_s=2)
    assert time.states == [(2, "started"), (30, "completed")]
    (_, started), (_, completed) = time.published
    assert started.meta is not None
    assert (started.meta.time, completed.started_at) == (utc(BEGIN), None)


def test_no_hold_reports_at_once_without_a_timer() -> None:
    time = VirtualTime()
    time.run(lasting(time, 1), after_s=0)
    assert time.states == [(0, "started"), (1, "completed")]
    assert time.published[1][1].started_at is None


def test_body_that_fails_within_the_hold_names_its_start() -> None:
    time = VirtualTime()
    time.run(lasting(time, 1, fails=True), after_s=2)
    assert time.states == [(1, "error")]
    assert time.published[0][1].started_at == utc(BEGIN)


def test_progress_within_the_hold_sends_what_is_held() -> None:
    time = VirtualTime()

    def body(*, ctx: Context) -> None:
        time.pass_until(BEGIN + 1)
        ctx.progress(0.5)
        time.pass_until(BEGIN + 9)

    time.run(body, after_s=2)
    assert time.states == [(1, "started"), (1, "started"), (9, "completed")]
    assert [update.progress for _, update in time.published] == [None, 0.5, None]
    started = time.published[0][1].meta
    assert started is not None
    assert started.time == utc(BEGIN)


def test_bus_that_fails_is_tried_again_as_long_after() -> None:
    time = VirtualTime()

    def body() -> None:
        time.failures = 2
        time.pass_until(BEGIN + 7)

    time.run(body, after_s=2)
    assert time.states == [(6, "started"), (7, "completed")]


def test_start_that_could_not_be_sent_is_in_the_end() -> None:
    time = VirtualTime()

    def body() -> None:
        time.failures = 1
        time.pass_until(BEGIN + 3)

    time.run(body, after_s=2)
    assert time.states == [(3, "completed")]
    assert time.published[0][1].started_at == utc(BEGIN)


def test_interrupted_body_sends_nothing() -> None:
    time = VirtualTime()

    def body() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        time.run(body, after_s=2)
    time.pass_until(BEGIN + 60)
    assert time.states == []


def test_held_attempt_that_is_delivered_twice_runs_once() -> None:
    time, claims = VirtualTime(), MemoryClaims()
    server, hold = a_server(task_1=lasting(time, 1)), StartHold(2, time.timer)
    for _ in range(2):
        command = a_command(ack_by=utc(BEGIN + 10), start_by=utc(BEGIN + 610))
        server.run(command, bus=time, clock=lambda: time.now, claims=claims, hold=hold)
    assert time.states == [(1, "completed")]


def test_refused_params_are_reported_without_a_start() -> None:
    time = VirtualTime()
    hold = StartHold(2, time.timer)
    command = a_command(params={"novel": 1}, ack_by=utc(BEGIN + 10), start_by=utc(BEGIN + 610))
    server = a_server(task_1=lambda: 1)
    server.run(command, bus=time, clock=lambda: time.now, hold=hold)
    assert time.states == [(0, "error")]
    assert time.published[0][1].started_at is None


@given(
    after_s=st.integers(0, 50),
    duration=st.integers(0, 200),
    waited=st.integers(0, 100),
    queued=st.booleans(),
    progress_at=st.none() | st.integers(0, 200),
    failures=st.integers(0, 3),
    fails=st.booleans(),
)
def test_held_or_not_an_attempt_reports_start_and_end(
    *,
    after_s: int,
    duration: int,
    waited: int,
    queued: bool,
    progress_at: int | None,
    failures: int,
    fails: bool,
) -> None:
    """In tenths of a second, so that every order of hold, progress and end occurs."""
    time = VirtualTime(now=BEGIN + waited / 10)
    began, ended = time.now, time.now + duration / 10

    def body(*, ctx: Context) -> None:
        time.failures = failures
        if progress_at is not None and progress_at <= duration:
            time.pass_until(began + progress_at / 10)
            ctx.progress(0.5)
        time.pass_until(ended)
        time.failures = 0
        if fails:
            raise ValueError("no rows")

    time.run(body, after_s=after_s / 10, queued=queued)
    *before, (at_end, end) = time.published
    starts = [update for _, update in before if update.progress is None]
    assert (at_end, end.state) == (ended, "error" if fails else "completed")
    assert len(starts) + (end.started_at is not None) == 1, "the start is known, once"
    known = end.started_at or (starts[0].meta and starts[0].meta.time)
    assert known == utc(int(began * 1000) / 1000)
    if not failures and starts:
        clock = BEGIN + (610 if queued else 10)
        assert before[0][0] <= max(began, clock - CLOCK_MARGIN_S), "no clock ran out by the hold"


@given(after_s=st.floats(0, 5), waited=st.floats(-5, 20), queued=st.booleans())
def test_hold_ends_well_before_the_clock_that_it_stops(
    *, after_s: float, waited: float, queued: bool
) -> None:
    command = a_command()
    held_s = StartHold(after_s).seconds(command, NOW + waited, queued=queued)
    deadline = NOW + (600 if queued else 10)
    is_in_time = NOW + waited + after_s + CLOCK_MARGIN_S <= deadline
    assert held_s == (after_s if is_in_time else 0)
    assert AT_ONCE.seconds(command, NOW + waited, queued=queued) == 0


def test_thread_timer_calls_until_it_is_done() -> None:
    calls, done = iter([False, False, True]), threading.Event()

    def send() -> bool:
        is_done = next(calls)
        if is_done:
            done.set()
        return is_done

    stop = thread_timer(0.0, an_update("task-1"), send)
    assert done.wait(30)
    assert not stop()
    assert list(calls) == []


def test_thread_timer_that_is_stopped_calls_nothing() -> None:
    before = threading.active_count()
    stop = thread_timer(3600.0, an_update("task-1"), lambda: pytest.fail("it was stopped"))
    assert not stop()
    assert threading.active_count() == before
