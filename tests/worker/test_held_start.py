"""A container's `started`, held until its body ends, reports progress, or has run for long."""

from collections.abc import Sequence
from queue import Empty, SimpleQueue
from typing import Any

import pytest

from cordyna_core.contract.base import Message, meta_at
from cordyna_core.contract.state_updates import TaskStateChanged
from cordyna_core.contract.time import utc
from cordyna_core.entrypoints.held_start import HeldStart
from cordyna_core.entrypoints.running_attempt import RunningAttempt
from cordyna_core.start_hold import StartHold
from cordyna_core.testing import RecordingBus
from cordyna_core.worker.pool import events as worker_events
from cordyna_core.worker.protocol import AttemptKey
from server.builders import NOW, RUN, a_command

KEY = AttemptKey(RUN, "task-1", 1)


class ScriptedInbox(SimpleQueue[worker_events.Event | None]):
    """What a worker process reports, each event at its second; a virtual clock."""

    def __init__(self, *events: tuple[float, worker_events.Event]) -> None:
        super().__init__()
        self.now = NOW
        self._events = list(events)

    def get(self, *_: Any, timeout: float | None = None) -> worker_events.Event | None:
        assert timeout is not None
        due = NOW + self._events[0][0]
        if due > self.now + timeout:
            self.now += timeout
            raise Empty
        self.now = max(self.now, due)
        return self._events.pop(0)[1]


class TimedBus(RecordingBus):
    """A bus that fails at first, and notes when it accepts a message."""

    def __init__(self, inbox: ScriptedInbox, failures: int) -> None:
        super().__init__()
        self._inbox, self._failures = inbox, failures
        self.times: list[float] = []

    def publish(self, messages: Sequence[Message]) -> None:
        if self._failures:
            self._failures -= 1
            raise ConnectionError("no bus")
        super().publish(messages)
        self.times += [self._inbox.now - NOW] * len(messages)


def an_update(state: str, **fields: object) -> worker_events.StateUpdate:
    update = TaskStateChanged.model_validate(
        {"server": "s", "run_id": RUN, "task": "task-1", "attempt": 1, "state": state}
        | {"meta": meta_at(NOW, f"{state}-id")}
        | fields
    )
    is_final = state in ("completed", "error")
    return worker_events.StateUpdate(server="s", key=KEY, message=update, is_final=is_final)


def followed(
    *events: tuple[float, worker_events.Event],
    after_s: float,
    failures: int = 0,
    queued: bool = True,
) -> list[tuple[float, str, bool]]:
    """What is published: when, the state, and whether it names the start."""
    ended = worker_events.AttemptEnded(server="s", key=KEY, outcome="reused")
    inbox = ScriptedInbox(*events, (events[-1][0], ended))
    bus, hold = TimedBus(inbox, failures), StartHold(after_s)
    start = HeldStart(lambda: inbox.now, lambda now: hold.seconds(a_command(), now, queued=queued))
    RunningAttempt(bus, lambda: False, lambda: None, start).follow(inbox)
    updates = [message for message in bus.published if isinstance(message, TaskStateChanged)]
    assert all(update.started_at in (None, utc(int(NOW * 1000) / 1000)) for update in updates)
    return [
        (round(at, 3), update.state, update.started_at is not None)
        for at, update in zip(bus.times, updates, strict=True)
    ]


STARTED = (0.0, an_update("started"))


@pytest.mark.parametrize("end", ["completed", "error"])
def test_end_within_the_hold_is_published_alone(end: str) -> None:
    assert followed(STARTED, (1.5, an_update(end)), after_s=2) == [(1.5, end, True)]


def test_start_is_published_when_the_hold_ends() -> None:
    published = followed(STARTED, (30.0, an_update("completed")), after_s=2)
    assert published == [(2, "started", False), (30, "completed", False)]


def test_start_is_published_at_once_without_a_hold() -> None:
    published = followed(STARTED, (1.0, an_update("completed")), after_s=0)
    assert published == [(0, "started", False), (1, "completed", False)]


def test_start_near_its_clock_is_published_at_once() -> None:
    published = followed(
        (5.0, an_update("started")), (6.0, an_update("completed")), after_s=4, queued=False
    )
    assert published == [(5, "started", False), (6, "completed", False)]


def test_output_does_not_keep_the_start_back() -> None:
    lines = [
        (second / 10, worker_events.OutputCut(server="s", key=KEY, cut_bytes=1))
        for second in range(1, 40)
    ]
    published = followed(STARTED, *lines, (9.0, an_update("completed")), after_s=2)
    assert published == [(2, "started", False), (9, "completed", False)]


def test_progress_publishes_what_is_held_first() -> None:
    progress = an_update("started", progress=0.5)
    published = followed(STARTED, (1.0, progress), (9.0, an_update("completed")), after_s=2)
    assert published == [(1, "started", False), (1, "started", False), (9, "completed", False)]


def test_start_that_was_not_accepted_is_tried_again() -> None:
    published = followed(STARTED, (9.0, an_update("completed")), after_s=2, failures=2)
    assert published == [(6, "started", False), (9, "completed", False)]


def test_start_that_was_never_accepted_is_in_the_end() -> None:
    published = followed(STARTED, (3.0, an_update("completed")), after_s=2, failures=1)
    assert published == [(3, "completed", True)]


def test_start_is_not_published_after_the_end() -> None:
    """A process that keeps the output open delays the end of the attempt beyond the hold."""
    cut = worker_events.OutputCut(server="s", key=KEY, cut_bytes=1)
    published = followed(STARTED, (1.5, an_update("completed")), (3.0, cut), after_s=2)
    assert published == [(1.5, "completed", True)]
