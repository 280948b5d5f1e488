"""The host as a process: what it imports, how it is replaced, how it falls behind."""

import contextlib
import fcntl
import os
import signal
import socket
import subprocess
import sys
from itertools import count
from pathlib import Path
from typing import Any, Final, cast

import pytest

from cordyna_core.worker.host import host as host_module
from cordyna_core.worker.host.channel import Channel
from cordyna_core.worker.host.engine_link import EngineLink
from cordyna_core.worker.pool import host_process
from cordyna_core.worker.pool.events import Declared, HostLost
from cordyna_core.worker.pool.heartbeat import ANSWER_TIMEOUT_S, PING_INTERVAL_S
from cordyna_core.worker.pool.pool import WorkerPool
from worker.running import FAST, SERVERS, Session, wait_until_dead

_SOURCES: Final = str(Path(host_process.__file__).parents[3])
_HEAVY: Final = ("pydantic", "asyncio", "dataclasses", "inspect", "logging", "importlib.metadata")


def test_host_imports_only_what_it_needs() -> None:
    code = (
        f"import sys; sys.path.append({_SOURCES!r}); import cordyna_core.worker.host.host;"
        f"print([name for name in {_HEAVY!r} if name in sys.modules])"
    )
    found = subprocess.run(
        [sys.executable, "-I", "-S", "-c", code], capture_output=True, text=True, check=True
    )

    assert found.stdout.strip() == "[]"


def test_host_that_hangs_is_replaced() -> None:
    now = [0.0]
    pool = WorkerPool(token=f"hang-{os.getpid()}", clock=lambda: now[0])
    try:
        session = Session(pool)
        session.load(str(SERVERS / "bodies.py"))
        hung = pool.host_pid
        os.kill(hung, signal.SIGSTOP)
        os.waitid(os.P_PID, hung, os.WSTOPPED | os.WNOWAIT)
        command = session.begin("noop")
        now[0] += PING_INTERVAL_S
        pool.receive()
        for _ in range(int(ANSWER_TIMEOUT_S) + 1):
            now[0] += 1
            session.events += pool.receive()

        assert HostLost in map(type, session.events)
        assert session.end(command).final["reason"] == "worker_died"
        wait_until_dead(hung)
        session.wait_for(Declared)
        assert session.do("noop").final["state"] == "completed"
    finally:
        pool.close()


def test_engine_that_was_stopped_does_not_blame_its_host() -> None:
    now = [0.0]
    pool = WorkerPool(token=f"stop-{os.getpid()}", clock=lambda: now[0])
    try:
        now[0] += PING_INTERVAL_S
        pool.receive()
        now[0] += 10 * ANSWER_TIMEOUT_S

        assert HostLost not in map(type, pool.receive())
    finally:
        pool.close()


def test_host_that_cannot_start_is_tried_again_ever_later(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Each one ends at once: the lock is a folder."""
    now = [0.0]
    pool = WorkerPool(
        token=f"lock-{os.getpid()}", lock_path=str(tmp_path), clock=lambda: now[0], settings=FAST
    )
    try:
        session = Session(pool)
        for rest_s in (0, FAST.restart_min_s, 2 * FAST.restart_min_s):
            session.wait_for(HostLost)
            assert (pool.host_pid == 0) == (rest_s > 0), "the first is replaced at once"
            if rest_s:
                assert pool.next_poll_s() == pytest.approx(rest_s)
            now[0] += rest_s
    finally:
        pool.close()
    assert set(capfd.readouterr().err.splitlines()) == {
        f"cordyna: the worker host cannot open {tmp_path}: Is a directory"
    }


class _Channel:
    """A channel whose peer takes nothing until it is told to."""

    waiting_bytes = 0
    on_drained: Any = None

    def send(self, data: bytes) -> None:
        self.waiting_bytes += len(data)


class _Source:
    is_paused = False

    def __init__(self, name: str = "", resumed: list[str] | None = None) -> None:
        self._name, self._resumed = name, [] if resumed is None else resumed

    def pause_reading(self) -> None:
        self.is_paused = True

    def resume_reading(self) -> None:
        self.is_paused = False
        self._resumed.append(self._name)


def _link(channel: _Channel) -> EngineLink:
    link = EngineLink(backlog_bytes=1000)
    link.attach(cast("Channel", channel))
    return link


def test_link_pauses_sources_while_the_engine_is_behind() -> None:
    channel, early, late = _Channel(), _Source(), _Source()
    link = _link(channel)
    link.add_output(early)
    link.event("output", text="x" * 2000)
    link.flush()
    link.add_frames(late)
    assert early.is_paused
    assert late.is_paused

    channel.waiting_bytes = 400
    channel.on_drained()

    assert not early.is_paused
    assert not late.is_paused


def test_link_resumes_frames_first_and_last_read_last() -> None:
    channel, order = _Channel(), list[str]()
    link = _link(channel)
    flood, calm, body, other = (_Source(name, order) for name in ("flood", "calm", "body", "other"))
    for output in (flood, calm):
        link.add_output(output)
    for frames in (body, other):
        link.add_frames(frames)
    link.note_read(flood)
    link.note_read(body)

    link.event("output", text="x" * 2000)
    link.flush()
    channel.waiting_bytes = 0
    channel.on_drained()

    assert order == ["other", "body", "calm", "flood"]


def test_link_does_not_resume_a_source_that_has_ended() -> None:
    channel, source = _Channel(), _Source()
    link = _link(channel)
    link.add_output(source)
    link.event("output", text="x" * 2000)
    link.flush()
    link.remove_source(source)
    channel.waiting_bytes = 0
    channel.on_drained()

    assert source.is_paused


def test_host_that_waits_for_the_lock_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The engine reads nothing either: its full buffer does not stop the host."""
    path, (engine, host) = tmp_path / "bodies.lock", socket.socketpair()
    with engine, host, path.open("w") as holder:
        fcntl.flock(holder, fcntl.LOCK_EX)
        polls, notes, now = count(), list[bytes](), [0.0]

        def poll_once(_: Any, timeout_ms: int) -> list[tuple[int, int]]:
            now[0] += timeout_ms / 1000 * 10
            turn = next(polls)
            if turn == 20:
                notes.append(engine.recv(4096))
                host.setblocking(False)  # noqa: FBT003
                with contextlib.suppress(BlockingIOError):
                    while True:
                        host.send(b"x" * 4096)
            if turn == 40:
                fcntl.flock(holder, fcntl.LOCK_UN)
            return []

        poll = type("Poll", (), {"register": lambda *_: None, "poll": poll_once})
        monkeypatch.setattr("cordyna_core.worker.host.host.select.poll", poll)
        monkeypatch.setattr("cordyna_core.worker.host.host.time.monotonic", lambda: now[0])

        os.close(host_module.hold_lock(str(path), host))

    assert set(notes[0].splitlines()) == {b'{"event":"waiting"}'}
