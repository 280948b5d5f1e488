"""The wait of the driver: no wake-up is lost, with and without a watched descriptor.

A lost wake-up shows as a test that does not end.
"""

import os
import threading
from collections.abc import Iterator

import pytest

from cerebro.embedded.runtime.wake_pipe import WakePipe

LONG_S = 600.0


@pytest.fixture
def descriptors() -> Iterator[tuple[int, int]]:
    reader, writer = os.pipe()
    yield reader, writer
    os.close(reader)
    os.close(writer)


@pytest.fixture(params=["queue", "pipe"])
def pipe(request: pytest.FixtureRequest, descriptors: tuple[int, int]) -> Iterator[WakePipe]:
    pipe = WakePipe()
    if request.param == "pipe":
        pipe.watch(descriptors[0])
        pipe.wait(0.0)
    yield pipe
    pipe.close()


def test_wake_before_the_wait_ends_it(pipe: WakePipe) -> None:
    for _ in range(3):
        pipe.wake()
        pipe.wait(LONG_S)


def test_wake_of_another_thread_ends_the_wait(pipe: WakePipe) -> None:
    for _ in range(20):
        thread = threading.Thread(target=pipe.wake)
        thread.start()
        pipe.wait(LONG_S)
        thread.join()


def test_more_wakes_than_a_pipe_holds_end_the_wait(pipe: WakePipe) -> None:
    for _ in range(100_000):
        pipe.wake()
    pipe.wait(LONG_S)


def test_wake_before_a_descriptor_is_watched_is_kept(descriptors: tuple[int, int]) -> None:
    pipe = WakePipe()
    pipe.wake()
    pipe.watch(descriptors[0])
    pipe.wait(LONG_S)
    pipe.close()


def test_readable_descriptor_ends_the_wait(descriptors: tuple[int, int]) -> None:
    pipe = WakePipe()
    pipe.watch(descriptors[0])
    pipe.wait(LONG_S)  # Watching may have woken it.
    os.write(descriptors[1], b"x")
    pipe.wait(LONG_S)
    pipe.close()


def test_wake_after_close_does_nothing(pipe: WakePipe) -> None:
    pipe.close()
    pipe.wake()
    pipe.close()
