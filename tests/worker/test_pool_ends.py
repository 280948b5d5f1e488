"""The pool when processes end that it needs: engine, host, template; drain and lock."""

import fcntl
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from cordyna_core.worker.pool.events import (
    AttemptEnded,
    Busy,
    Declared,
    Drained,
    HostLost,
)
from worker.running import (
    SERVERS,
    Session,
    a_session,
    is_alive,
    key_of,
    read_when_there,
    wait_until_dead,
)

BODIES = str(SERVERS / "bodies.py")


@pytest.fixture
def session() -> Iterator[Session]:
    with a_session() as found:
        assert isinstance(found.load(BODIES), Declared)
        yield found


def test_daemon_of_a_completed_body_is_left(session: Session, tmp_path: Path) -> None:
    marker = tmp_path / "marker"
    attempt = session.do("leaves-a-daemon", marker=str(marker))
    daemon = int(marker.read_text())
    try:
        assert attempt.outcome == "retired"
        session.pool.close()
        assert is_alive(daemon)
    finally:
        os.kill(daemon, signal.SIGKILL)


def test_killed_engine_side_leaves_nothing(tmp_path: Path) -> None:
    """The end of the connection is all that the host learns of an engine that was killed."""
    with a_session() as session:
        session.load(BODIES)
        marker, daemon = tmp_path / "body", tmp_path / "daemon"
        session.do("leaves-a-daemon", marker=str(daemon))
        session.begin("wait-forever", marker=str(marker))
        body = int(read_when_there(marker))
        host = session.pool._slot._host
        assert host is not None
        host._socket.shutdown(2)

        wait_until_dead(session.pool.host_pid)

        wait_until_dead(body)
        wait_until_dead(int(daemon.read_text()))


def test_host_that_is_killed_is_replaced(session: Session, tmp_path: Path) -> None:
    marker, daemon = tmp_path / "body", tmp_path / "daemon"
    session.do("leaves-a-daemon", marker=str(daemon))
    command = session.begin("wait-forever", marker=str(marker))
    body = int(read_when_there(marker))

    os.kill(session.pool.host_pid, signal.SIGKILL)

    session.wait_for(HostLost)
    attempt = session.end(command)
    assert attempt.final["reason"] == "worker_died"
    wait_until_dead(body)
    wait_until_dead(int(daemon.read_text()))
    session.wait_for(Declared)
    assert session.do("noop").final["state"] == "completed"


def test_template_that_dies_is_replaced(session: Session, tmp_path: Path) -> None:
    marker = tmp_path / "body"
    command = session.begin("wait-forever", marker=str(marker))
    read_when_there(marker)
    session.pool.request_busy()
    template = session.wait_for(Busy).servers[0].pids[0]

    os.kill(template, signal.SIGKILL)

    assert session.end(command).final["reason"] == "worker_died"
    session.wait_for(Declared)
    assert session.do("noop").final["state"] == "completed"


def test_drain_cuts_what_exceeds_its_deadline(session: Session, tmp_path: Path) -> None:
    marker = tmp_path / "marker"
    command = session.begin("wait-forever", marker=str(marker))
    read_when_there(marker)
    session.pool.drain(0.05)

    session.wait_for(Drained)
    attempt = session.end(command) if key_of(command) in session.pool.live else None
    ended = [e for e in session.events if isinstance(e, AttemptEnded)]
    assert attempt is None or attempt.finals == []
    assert [event.outcome for event in ended] == ["drain"]


def test_lock_is_held_while_bodies_may_run(tmp_path: Path) -> None:
    path = tmp_path / "bodies.lock"
    with a_session(lock_path=str(path)) as session:
        session.load(BODIES)
        with path.open() as lock, pytest.raises(BlockingIOError):
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    with path.open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
