"""The engine's side of the worker host alone: what it sends, and what it answers in its place."""

import json
import socket
from collections.abc import Iterator
from typing import Any

import pytest

from cordyna_core.contract.base import Meta
from cordyna_core.contract.commands import RunTask
from cordyna_core.contract.time import utc
from cordyna_core.worker.pool import host_slot
from cordyna_core.worker.pool.events import AttemptEnded, Event, HostLost, StateUpdate
from cordyna_core.worker.pool.heartbeat import ANSWER_TIMEOUT_S, PING_INTERVAL_S
from cordyna_core.worker.pool.host_process import HostLostError
from cordyna_core.worker.pool.pool import WorkerPool
from cordyna_core.worker.processes import Progress
from cordyna_core.worker.settings import Settings
from cordyna_core.worker.verdicts import command_from_json

RUN_ID = "0" * 26
NOON = 1_800_000_000.0
DELAYS = Settings()._replace(restart_min_s=1.0, restart_max_s=5.0)
TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


class Host:
    """A host in this process: it keeps requests, and answers what a test gives it."""

    pid = 4711

    def __init__(self) -> None:
        self.now: Progress | None = None
        self.requests: list[dict[str, Any]] = []
        self.answers: list[dict[str, Any]] = []
        self.is_lost = False
        self._socket, self._other = socket.socketpair()

    def fileno(self) -> int:
        return self._socket.fileno()

    def progress(self) -> Progress | None:
        return self.now

    def send(self, request: dict[str, Any], frame: bytes = b"") -> None:
        del frame
        self.requests.append(request)

    def receive(self) -> list[dict[str, Any]]:
        if self.is_lost:
            raise HostLostError("it has ended")
        answers, self.answers = self.answers, []
        return answers

    def wait_for_end(self, timeout_s: float) -> None:
        del timeout_s
        self.end()

    def end(self) -> None:
        self._socket.close()
        self._other.close()


class Room:
    """A pool whose hosts are in this process, and its clock."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.hosts: list[Host] = []
        self.has_room, self.now = True, 0.0
        monkeypatch.setattr(host_slot, "HostProcess", self._start)
        self.pool = WorkerPool(
            token="room", settings=DELAYS, clock=lambda: self.now, now=lambda: NOON
        )

    def _start(self, *_: Any, **__: Any) -> Host:
        if not self.has_room:
            raise OSError("no room")
        self.hosts.append(Host())
        return self.hosts[-1]

    @property
    def host(self) -> Host:
        return self.hosts[-1]

    def after(self, seconds: float) -> list[Event]:
        """What the pool reports so much later."""
        self.now += seconds
        return self.pool.receive()

    def ready(self) -> None:
        """The host has started."""
        self.host.answers = [{"event": "ready", "pid": 4711}]
        self.after(0)

    def pings(self) -> list[int]:
        return [request["number"] for request in self.host.requests if request["op"] == "ping"]


@pytest.fixture
def room(monkeypatch: pytest.MonkeyPatch) -> Iterator[Room]:
    room = Room(monkeypatch)
    yield room
    room.pool.close()


def command(task: str = "a", attempt: int = 1) -> RunTask:
    return RunTask(
        meta=Meta(id="cause", traceparent=TRACE),
        server="s",
        run_id=RUN_ID,
        task=task,
        attempt=attempt,
        ack_by=utc(NOON + 10),
        start_by=utc(NOON + 600),
    )


def completed(of: RunTask) -> dict[str, Any]:
    """What a host sends when a body has returned, while its process still ends."""
    detail = of.model_dump(mode="json", include={"server", "run_id", "task", "attempt"})
    return {"event": "state", "frame": {"detail": {**detail, "state": "completed"}}}


def ends_of(events: list[Event]) -> list[tuple[str, str]]:
    return [(event.key.task, event.outcome) for event in events if isinstance(event, AttemptEnded)]


def test_command_keeps_its_clocks_and_its_trace(room: Room) -> None:
    room.pool.run(command(), run_timeout_s=30)

    (request,) = room.host.requests
    sent = command_from_json(json.loads(json.dumps(request["command"])))
    assert (sent.ack_by, sent.start_by, sent.run_timeout_s) == (NOON + 10, NOON + 600, 30)
    assert (sent.cause, sent.traceparent) == ("cause", TRACE)
    assert sent == request["command"]


def test_command_that_is_repeated_is_sent_once(room: Room) -> None:
    room.pool.run(command())
    room.pool.run(command())
    room.pool.run(command(attempt=2))

    assert len(room.host.requests) == 2


def test_lost_host_is_answered_for_once_per_attempt(room: Room) -> None:
    """1. Of two attempts, one has its final state. 2. The host is lost. 3. The next one, too."""
    room.ready()
    for task in ("a", "b"):
        room.pool.run(command(task))
    room.host.answers = [completed(command("a"))]
    room.after(0.1)
    room.host.is_lost = True

    events = room.after(0.1)
    assert ends_of(events) == [("a", "died"), ("b", "died")]
    states = [event for event in events if isinstance(event, StateUpdate)]
    assert [(state.key.task, state.message.state) for state in states] == [("b", "error")]
    room.host.answers = [{"event": "ready", "pid": 4711}]
    room.after(0)
    room.host.is_lost = True
    assert ends_of(room.after(0.1)) == []
    room.pool.run(command("a"))
    assert [request["op"] for request in room.host.requests][-1] == "run"


def test_delay_before_another_host_doubles_to_its_maximum(room: Room) -> None:
    room.has_room = False
    room.host.is_lost = True
    assert len([event for event in room.after(0) if isinstance(event, HostLost)]) == 2

    for delay in (1, 2, 4, 5, 5):
        assert room.after(delay - 0.1) == []
        assert len(room.after(0.1)) == 1
    room.has_room = True
    room.after(5)
    assert len(room.hosts) == 2


def test_host_is_asked_again_only_after_its_answer(room: Room) -> None:
    room.ready()
    room.after(PING_INTERVAL_S)
    room.after(PING_INTERVAL_S)
    assert room.pings() == [1]

    room.host.answers = [{"event": "pong", "number": 1}]
    room.after(0)
    assert room.pings() == [1, 2]


def test_host_that_does_not_answer_is_replaced(room: Room) -> None:
    """An answer to an earlier question does not count."""
    room.ready()
    room.after(PING_INTERVAL_S)
    room.host.answers = [{"event": "pong", "number": 1}]
    room.after(PING_INTERVAL_S)
    assert room.pings() == [1, 2]
    room.host.answers = [{"event": "pong", "number": 1}]
    for _ in range(int(ANSWER_TIMEOUT_S)):
        assert room.after(1) == []

    (lost,) = [event for event in room.after(1) if isinstance(event, HostLost)]
    assert "did not answer for 10 s" in lost.why
    assert len(room.hosts) == 2


def test_time_in_which_the_pool_was_not_polled_is_not_counted(room: Room) -> None:
    """1. The host is asked. 2. The engine is stopped for a minute. 3. The host has 10 s yet."""
    room.ready()
    room.after(PING_INTERVAL_S)

    assert room.after(60) == []
    for _ in range(int(ANSWER_TIMEOUT_S)):
        assert room.after(1) == []
    assert room.after(1)


def test_host_that_gets_no_processor_is_not_lost(room: Room) -> None:
    """1. It is runnable, and does not run. 2. It has run for 10 s, and has not answered."""
    room.ready()
    room.host.now = Progress("R", 3.0)
    room.after(PING_INTERVAL_S)
    for _ in range(int(6 * ANSWER_TIMEOUT_S)):
        assert room.after(1) == []

    for second in range(int(ANSWER_TIMEOUT_S)):
        room.host.now = Progress("R", 4.0 + second)
        assert room.after(1) == []
    room.host.now = Progress("R", 14.0)
    assert HostLost in map(type, room.after(1))


@pytest.mark.parametrize("state", ["T", "S"])
def test_host_that_is_stopped_or_blocked_is_lost(room: Room, state: str) -> None:
    room.ready()
    room.host.now = Progress(state, 3.0)
    room.after(PING_INTERVAL_S)
    for _ in range(int(ANSWER_TIMEOUT_S)):
        assert room.after(1) == []

    assert HostLost in map(type, room.after(1))


def test_host_that_waits_for_the_one_before_is_not_lost(room: Room) -> None:
    """1. It says for a minute that it waits. 2. It says nothing more, and is replaced."""
    for _ in range(60):
        room.host.answers = [{"event": "waiting"}]
        assert room.after(1) == []
    for _ in range(int(ANSWER_TIMEOUT_S)):
        assert room.after(1) == []

    assert HostLost in map(type, room.after(1))
