"""The loop's timers on a clock of the test's own, and its descriptors."""

import os

from cordyna_core.worker.host.loop import Loop, LoopTimers


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_timers_fire_in_the_order_in_which_they_are_due() -> None:
    clock, fired = Clock(), list[str]()
    timers = LoopTimers(clock)
    timers.after(2, lambda: fired.append("second"))
    timers.after(1, lambda: fired.append("first"))
    timers.after(3, lambda: fired.append("third"))
    clock.now += 2
    timers.fire_due()

    assert fired == ["first", "second"]
    assert timers.next_in() == 1


def test_cancelled_timer_does_not_fire() -> None:
    clock, fired = Clock(), list[str]()
    timers = LoopTimers(clock)
    timer = timers.after(1, lambda: fired.append("fired"))
    timer.cancel()
    clock.now += 2
    timers.fire_due()

    assert fired == []
    assert timers.next_in() is None


def test_cancelled_timers_are_not_kept() -> None:
    clock, fired = Clock(), list[int]()
    timers = LoopTimers(clock)
    kept = [timers.after(1800 + n, lambda n=n: fired.append(n)) for n in range(10)]  # type: ignore[misc]
    for _ in range(10_000):
        timers.after(1800, lambda: fired.append(-1)).cancel()
    assert len(timers) < 500

    kept[3].cancel()
    clock.now += 3600
    timers.fire_due()

    assert fired == [0, 1, 2, 4, 5, 6, 7, 8, 9]


def test_timer_added_by_a_timer_waits_for_the_next_turn() -> None:
    clock, fired = Clock(), list[str]()
    timers = LoopTimers(clock)

    def add() -> None:
        timers.after(0, lambda: fired.append("added"))

    timers.after(1, add)
    clock.now += 1
    timers.fire_due()
    assert fired == []
    timers.fire_due()

    assert fired == ["added"]


def test_descriptor_closed_by_the_same_batch_is_not_called() -> None:
    """Two pipes are ready at once; the first callback closes the second and reuses its number."""
    loop, called = Loop(), list[str]()
    pipes = [os.pipe(), os.pipe()]
    for _, writer in pipes:
        os.write(writer, b"x")

    def callback(own: int, other: int) -> None:
        called.append("called")
        loop.forget(own)
        loop.forget(other)
        os.close(other)
        os.dup2(own, other)
        loop.on_readable(other, lambda: called.append("new registration"))

    first, second = pipes[0][0], pipes[1][0]
    loop.on_readable(first, lambda: callback(first, second))
    loop.on_readable(second, lambda: callback(second, first))
    loop.turn()

    assert called == ["called"]
    loop.close()
    for fd in (*pipes[0], *pipes[1]):
        os.close(fd)
