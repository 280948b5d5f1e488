"""The pool with a Python server: loading, running, output, ends."""

import fcntl
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from cordyna_core.worker.events import (
    AttemptEnded,
    Busy,
    Declared,
    Drained,
    HostLost,
    LoadFailed,
    StateUpdate,
)
from worker.running import (
    FAST,
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


def test_body_that_returns_completes(session: Session) -> None:
    attempt = session.do("noop")

    assert attempt.states == ["started", "completed"]
    assert attempt.final["output"] == 1
    assert attempt.outcome == "reused"


def test_clean_body_is_reused(session: Session) -> None:
    first, second = session.do("pid"), session.do("pid")

    assert first.final["output"] == second.final["output"]


def test_output_of_all_kinds_is_the_attempts(session: Session) -> None:
    attempt = session.do("everywhere")

    assert attempt.final["state"] == "completed", attempt.final
    assert attempt.output("stdout").splitlines() == [
        "a", "b", "from a subprocess", "from os.write", "from a fork", "bytes \\xff",
    ]  # fmt: skip
    assert attempt.output("log") == "INFO from ctx.log\n"
    assert attempt.output("stderr").startswith("on stderr\n--- Logging error ---\n")
    assert attempt.outcome == "retired"  # dictConfig changed the process


def test_output_precedes_the_final_state(session: Session) -> None:
    command = session.begin("lines", n=1000)
    attempt = session.end(command)

    finals = [i for i, e in enumerate(session.events) if isinstance(e, StateUpdate) and e.is_final]
    last_output = max(i for i, e in enumerate(session.events) if hasattr(e, "stream"))
    assert last_output < finals[0]
    assert attempt.output("stdout") == "".join(f"line {n}\n" for n in range(1000))


def test_output_beyond_the_caps_keeps_head_and_tail(session: Session) -> None:
    attempt = session.do("flood", mb=16)

    size = len(attempt.output("stdout"))
    assert 10 * 2**20 - 1024 <= size <= 10 * 2**20
    cut = [e.cut_bytes for e in session.events if hasattr(e, "cut_bytes")]
    assert cut[-1] + size == 16 * 2**20


def test_run_clock_stops_the_body(session: Session, tmp_path: Path) -> None:
    attempt = session.do("wait-forever", marker=str(tmp_path / "marker"), timeout_s=0.2)

    assert attempt.final["reason"] == "run_timeout"
    assert attempt.final["error"]["type"] == "RunTimeout"
    assert attempt.outcome == "run_timeout"


def test_body_that_ignores_sigterm_is_killed(session: Session, tmp_path: Path) -> None:
    marker = tmp_path / "marker"
    command = session.begin("stubborn", marker=str(marker))
    body, daemon = map(int, read_when_there(marker).split())
    session.cancel(command, grace_s=0.01)

    assert session.end(command).final["reason"] == "cancelled"
    assert not is_alive(body)
    wait_until_dead(daemon)


def test_cancel_is_seen_by_the_body(session: Session, tmp_path: Path) -> None:
    marker = tmp_path / "marker"
    command = session.begin("wait-for-cancel", marker=str(marker))
    read_when_there(marker)

    session.cancel(command, grace_s=60)

    attempt = session.end(command)
    assert attempt.final["output"] == "saw it"


def test_cancel_after_its_grace_stops_the_body(session: Session, tmp_path: Path) -> None:
    marker = tmp_path / "marker"
    command = session.begin("wait-forever", marker=str(marker))
    read_when_there(marker)

    session.cancel(command, grace_s=0.05)

    attempt = session.end(command)
    assert attempt.final["reason"] == "cancelled"
    assert attempt.final["error"]["retryable"] is False
    assert attempt.output("stdout") == "waiting\ncleaned up\n"
    assert not is_alive(int(marker.read_text()))


def test_process_that_keeps_output_open_is_ended(session: Session, tmp_path: Path) -> None:
    marker = tmp_path / "marker"
    attempt = session.do("leaves-a-writer", marker=str(marker))

    assert attempt.final["output"] == "done"
    assert "kept its output open for 0.1 s" in attempt.output("stderr")
    wait_until_dead(int(marker.read_text()))


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
        host = session.pool._host
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


def test_next_attempt_waits_for_the_end_of_the_last(session: Session, tmp_path: Path) -> None:
    marker = tmp_path / "marker"
    first = session.begin("stubborn", marker=str(marker))
    body = int(read_when_there(marker).split()[0])
    session.cancel(first, grace_s=0.01)
    next_marker = tmp_path / "next"
    second = session.begin("stubborn", marker=str(next_marker), run_id=first.run_id, attempt=2)
    session.wait(
        lambda event: (
            isinstance(event, StateUpdate)
            and event.key == key_of(second)
            and event.message.state == "started"
        )
    )

    assert not is_alive(body)
    assert AttemptEnded in {
        type(e) for e in session.events if getattr(e, "key", 0) == key_of(first)
    }
    session.cancel(second, grace_s=0.01)
    session.end(second)


def test_command_beyond_concurrency_is_queued(tmp_path: Path) -> None:
    with a_session() as session:
        session.load(BODIES, concurrency=1)
        marker = tmp_path / "marker"
        first = session.begin("wait-for-cancel", marker=str(marker))
        second = session.begin("noop")
        session.wait(lambda e: isinstance(e, StateUpdate) and e.message.state == "queued")
        session.cancel(first, grace_s=60)
        session.end(first)

        assert session.end(second).states == ["queued", "started", "completed"]


def test_stale_command_is_not_started(session: Session) -> None:
    attempt = session.do("noop", ack_s=-1)

    assert attempt.states == []
    assert attempt.outcome == "stale"


def test_cancelled_command_that_waits_is_not_started(tmp_path: Path) -> None:
    with a_session() as session:
        session.load(BODIES, concurrency=1)
        marker = tmp_path / "marker"
        first = session.begin("wait-for-cancel", marker=str(marker))
        second = session.begin("noop")
        session.cancel(second, grace_s=60)

        assert session.end(second).outcome == "cancelled"
        session.cancel(first, grace_s=60)
        session.end(first)


def test_duplicate_command_runs_once(session: Session) -> None:
    command = session.command("noop")
    session.pool.run(command)
    session.pool.run(command)

    assert session.end(command).states == ["started", "completed"]


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


def test_server_that_raises_at_import_fails_to_load() -> None:
    with a_session() as session:
        failed = session.load(str(SERVERS / "broken.py"))

        assert isinstance(failed, LoadFailed)
        assert "RuntimeError: the database is not there" in failed.error
        assert not failed.still_serving


def test_server_that_exits_at_import_fails_to_load() -> None:
    with a_session() as session:
        failed = session.load(str(SERVERS / "dies_at_import.py"))

        assert isinstance(failed, LoadFailed)
        assert "exit code 3" in failed.error
        assert "last words" in failed.error


def test_server_that_does_not_declare_in_time_fails(tmp_path: Path) -> None:
    slow = tmp_path / "slow.py"
    slow.write_text("import time\ntime.sleep(600)\n")
    with a_session(FAST._replace(load_timeout_s=0.2)) as session:
        failed = session.load(str(slow))

        assert isinstance(failed, LoadFailed)
        assert "no ServerDeclared within 0.2 s" in failed.error


def test_command_of_a_server_that_failed_is_not_started() -> None:
    with a_session() as session:
        session.load(str(SERVERS / "broken.py"))

        assert session.do("noop", server="broken").outcome == "not_loaded"


def test_two_targets_with_one_server_name_are_refused(tmp_path: Path) -> None:
    copy = tmp_path / "copy.py"
    copy.write_text(Path(BODIES).read_text())
    with a_session() as session:
        session.load(BODIES)
        failed = session.load(str(copy))

        assert isinstance(failed, LoadFailed)
        assert f'server "bodies" is run by {BODIES} already' in failed.error
        assert session.do("noop").final["state"] == "completed"


def test_server_with_a_thread_is_spawned() -> None:
    with a_session() as session:
        declared = session.load(str(SERVERS / "threaded.py"))

        assert isinstance(declared, Declared)
        assert declared.mode == "spawn"
        assert "poller" in declared.mode_reason
        attempt = session.do("pid", server="threaded")
        assert attempt.output("stdout") == "hello from a spawned body\n"
        assert attempt.final["state"] == "completed"


def test_spawned_server_runs_tasks_side_by_side(tmp_path: Path) -> None:
    with a_session() as session:
        session.load(BODIES, isolation="spawn")
        markers = [tmp_path / str(number) for number in range(3)]
        commands = [session.begin("wait-for-cancel", marker=str(marker)) for marker in markers]
        for marker in markers:
            read_when_there(marker)
        for command in commands:
            session.cancel(command, grace_s=60)

        assert [session.end(command).final["output"] for command in commands] == ["saw it"] * 3


def test_reload_that_fails_keeps_the_old_one(tmp_path: Path) -> None:
    target = tmp_path / "changing.py"
    text = 'from cordyna_core import TaskServer\nserver = TaskServer("c")\n@server.task\n'
    target.write_text(f"{text}def value(): return 1\n")
    with a_session() as session:
        session.load(str(target))
        target.write_text("raise ValueError('typo')\n")
        session.pool.reload(str(target))

        failed = session.wait_for(LoadFailed)
        assert failed.still_serving
        assert session.do("value", server="c").final["output"] == 1
        target.write_text(f"{text}def value(): return 'new'\n")
        session.pool.reload(str(target))
        assert session.wait_for(Declared).generation == 3
        assert session.do("value", server="c").final["output"] == "new"


def test_reload_lets_running_attempts_end(session: Session, tmp_path: Path) -> None:
    marker = tmp_path / "marker"
    command = session.begin("wait-for-cancel", marker=str(marker))
    read_when_there(marker)
    session.pool.reload(BODIES)
    session.wait_for(Declared)
    session.do("noop")
    session.cancel(command, grace_s=60)

    assert session.end(command).final["output"] == "saw it"


def test_random_numbers_differ_between_bodies(tmp_path: Path) -> None:
    with a_session() as session:
        session.load(BODIES)
        commands = [session.begin("random-number") for _ in range(8)]

        assert len({session.end(command).final["output"] for command in commands}) == 8


def test_lock_is_held_while_bodies_may_run(tmp_path: Path) -> None:
    path = tmp_path / "bodies.lock"
    with a_session(lock_path=str(path)) as session:
        session.load(BODIES)
        with path.open() as lock, pytest.raises(BlockingIOError):
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    with path.open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
