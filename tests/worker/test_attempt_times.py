"""The times of an attempt: `started` is never later than what follows it."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cordyna_core.contract.time import rfc3339, utc
from cordyna_core.worker.host.attempt_record import AttemptRecord
from cordyna_core.worker.host.loop import Loop
from cordyna_core.worker.host.worker import Worker
from cordyna_core.worker.pool.events import Declared
from cordyna_core.worker.protocol import AttemptKey, frame_bytes, parse_frame
from cordyna_core.worker.settings import Settings
from cordyna_core.worker.verdicts import AttemptCommand
from worker.running import Session, a_session

OFFSET_S = 1_790_000_000.0
KEY = AttemptKey("R", "a", 1)
DELAYS = st.floats(0, 20).map(lambda delay: round(delay, 4))


class Recorder:
    """Takes any call of any method; keeps the frames of states."""

    def __init__(self) -> None:
        self.frames: list[dict[str, Any]] = []

    def __getattr__(self, name: str) -> Any:
        return lambda *_, **__: None

    def started(self, frame: bytes) -> None:
        self.frames.append(parse_frame(frame).detail)

    def state(self, frame: bytes, *_: object) -> None:
        self.frames.append(parse_frame(frame).detail)

    def has_open_output(self) -> bool:
        return False


class Machine:
    """A worker of a host whose monotonic clock is set by the test."""

    def __init__(self) -> None:
        self.monotonic = 1000.0
        self.link = Recorder()
        services: Any = SimpleNamespace(
            loop=Loop(lambda: self.monotonic), link=self.link, settings=Settings(),
            children=Recorder(), monotonic=lambda: self.monotonic,
        )  # fmt: skip
        owner: Any = Recorder()
        transport: Any = Recorder()
        self.worker = Worker(services, owner)
        self.worker.transport = transport
        self.worker.loaded()
        self.attempt = AttemptRecord(
            AttemptCommand("s", KEY, OFFSET_S + 1e6, OFFSET_S + 1e6, 600, None, None, OFFSET_S),
            b"",
            services,
        )
        self._services = services

    def wait(self, delay_s: float) -> float:
        """Let time pass; returns the moment."""
        self.monotonic += delay_s
        return self.monotonic

    def set_child(self, forked_at: float) -> None:
        child: Any = SimpleNamespace(pid=7, signal_group=lambda number: None)
        self.worker.set_child(child, forked_at)

    def completed(self, time: str | None) -> None:
        """Handle the final frame of a body that says this time."""
        detail = {"server": "s", "state": "completed", "output": 1, **KEY._asdict()}
        meta = {} if time is None else {"meta": {"id": "0" * 26, "time": time}}
        self.worker.on_item(parse_frame(frame_bytes("TaskStateChanged", {**detail, **meta})))

    def close(self) -> list[datetime]:
        self._services.loop.close()
        return [datetime.fromisoformat(frame["meta"]["time"]) for frame in self.link.frames]


def _body_time(monotonic: float) -> str:
    """As a Python body of this machine writes it."""
    return rfc3339(utc(int((OFFSET_S + monotonic) * 1000) / 1000))


@given(DELAYS, DELAYS, DELAYS, DELAYS, st.sampled_from(["fork first", "final first"]))
def test_started_is_not_after_completed_in_any_order(
    queued_s: float, fork_s: float, body_s: float, seen_s: float, order: str
) -> None:
    machine = Machine()
    machine.wait(queued_s)
    machine.worker.run(machine.attempt)
    given_at = machine.monotonic
    forked_at = machine.wait(fork_s)
    ended_at = machine.wait(body_s)
    machine.wait(seen_s)
    if order == "fork first":
        machine.set_child(forked_at)
    machine.completed(_body_time(ended_at))
    if order == "final first":
        machine.set_child(forked_at)
    started, completed = machine.close()

    assert started <= completed
    expected = forked_at if order == "fork first" else given_at
    assert abs(started - utc(OFFSET_S + expected)) <= timedelta(milliseconds=2)
    assert completed == datetime.fromisoformat(_body_time(ended_at))


@given(DELAYS, st.one_of(st.datetimes().map(lambda time: f"{time.isoformat()}Z"), st.text()))
def test_time_that_cannot_be_true_is_replaced(body_s: float, claimed: str) -> None:
    machine = Machine()
    machine.set_child(0.0)
    machine.worker.run(machine.attempt)
    begun = utc(OFFSET_S + machine.monotonic)
    machine.wait(body_s)
    machine.completed(claimed)
    started, completed = machine.close()

    assert started <= completed <= utc(OFFSET_S + machine.monotonic)
    assert abs(started - begun) <= timedelta(milliseconds=2)


@pytest.mark.parametrize("time", [None, "2026-09-21T14:13:20", "yesterday", "9999-12-31T23:59:59Z"])
def test_final_state_without_a_usable_time_gets_one(time: str | None) -> None:
    machine = Machine()
    machine.set_child(0.0)
    machine.worker.run(machine.attempt)
    machine.wait(5)
    machine.completed(time)

    assert machine.close()[1] == utc(OFFSET_S + machine.monotonic)


SERVER = """
import time
from cordyna_core import TaskServer

server = TaskServer("clocks")
real = time.time

@server.task
def set_back() -> None:
    time.time = lambda: real() - 3600

@server.task
def nothing() -> None: ...
"""


@pytest.fixture
def session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session]:
    target = tmp_path_factory.mktemp("clocks") / "clocks.py"
    target.write_text(SERVER)
    with a_session() as found:
        assert isinstance(found.load(str(target)), Declared)
        yield found


@pytest.mark.parametrize("shift_s", [-3600.0, 0.0, 3600.0])
def test_states_of_an_attempt_are_in_the_engines_time(session: Session, shift_s: float) -> None:
    """Whatever the wall clock says: the host and its bodies tell the engine's time."""
    engine_now = session.pool._now
    session.pool._now = lambda: engine_now() + shift_s
    for task in ("set-back", "nothing", "nothing"):
        before = session.pool._now()
        attempt = session.do(task, server="clocks", ack_s=7200)
        times = [m.meta.time for m in attempt.messages if m.meta and m.meta.time]

        assert [message.state for message in attempt.messages] == ["started", "completed"]
        assert utc(before - 0.001) <= times[0] <= times[1] <= utc(session.pool._now())
