"""A system that has no room for another process, file or host now, and may have later."""

import errno
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest

from cordyna_core.worker import processes
from cordyna_core.worker.host import generation as generation_module
from cordyna_core.worker.host.attempt_record import AttemptRecord
from cordyna_core.worker.host.loop import Loop
from cordyna_core.worker.host.server_entry import ServerEntry
from cordyna_core.worker.host.services import Services
from cordyna_core.worker.host.transports import PythonTransport
from cordyna_core.worker.host.worker import Worker
from cordyna_core.worker.pool.events import (
    Declared,
    HostLost,
    StateUpdate,
    WorkerFailed,
)
from cordyna_core.worker.pool.pool import WorkerPool
from cordyna_core.worker.protocol import AttemptKey
from cordyna_core.worker.settings import Settings
from cordyna_core.worker.spec import ServerSpec
from cordyna_core.worker.verdicts import AttemptCommand
from worker.running import FAST, SERVERS, Session, a_session, is_alive, read_when_there

NO_ROOM = BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))


@pytest.fixture
def no_forks(tmp_path: Path) -> Path:
    """A file: while it exists, the template cannot fork."""
    path = tmp_path / "no forks"
    path.touch()
    return path


@pytest.fixture
def session(no_forks: Path) -> Iterator[Session]:
    with a_session(FAST._replace(restart_min_s=0.01)) as found:
        declared = found.load(
            str(SERVERS / "cannot_fork.py"),
            isolation="fork",
            env=(("FORK_FAILS_FILE", str(no_forks)),),
        )
        assert isinstance(declared, Declared), declared
        yield found


def test_attempt_waits_until_its_body_can_be_forked(session: Session, no_forks: Path) -> None:
    command = session.begin("noop", server="cannot-fork")
    for _ in range(3):
        assert "EAGAIN" in session.wait_for(WorkerFailed).error
    session.wait(lambda e: isinstance(e, StateUpdate) and e.message.state == "queued")
    no_forks.unlink()

    session.end(command)
    session.do("noop", server="cannot-fork")  # after which nothing of the first is reported
    attempt = session.end(command)
    assert attempt.states == ["queued", "started", "completed"]
    assert attempt.outcome == "reused"


def test_attempt_that_waits_for_a_fork_is_cancelled(session: Session) -> None:
    command = session.begin("noop", server="cannot-fork")
    session.wait_for(WorkerFailed)
    session.cancel(command, grace_s=600)

    attempt = session.end(command)
    assert (attempt.finals, attempt.outcome) == ([], "cancelled")


def test_attempt_that_waits_for_a_fork_is_drained(session: Session) -> None:
    command = session.begin("noop", server="cannot-fork")
    session.wait_for(WorkerFailed)
    session.pool.drain(600)

    assert session.end(command).outcome == "drain"


def test_host_that_cannot_be_replaced_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """1. Two tries fail. 2. What was asked meanwhile is done by the third host."""
    now = [0.0]
    pool = WorkerPool(token=f"room-{os.getpid()}", settings=FAST, clock=lambda: now[0])
    try:
        session = Session(pool)
        session.load(str(SERVERS / "bodies.py"))
        start, tries = pool._slot._start_host, [NO_ROOM, NO_ROOM]

        def start_host() -> Any:
            if tries:
                raise tries.pop()
            return start()

        monkeypatch.setattr(pool._slot, "_start_host", start_host)
        os.kill(pool.host_pid, signal.SIGKILL)
        session.wait_for(HostLost)
        assert "could not be started" in session.wait_for(HostLost).why
        assert (pool.host_pid, pool.next_poll_s()) == (0, FAST.restart_min_s)
        command = session.begin("noop")
        pool.start([ServerSpec(str(SERVERS / "innocent.py"))])
        now[0] += FAST.restart_min_s
        assert "could not be started" in session.wait_for(HostLost).why
        assert pool.receive() == []
        now[0] += 2 * FAST.restart_min_s

        assert session.end(command).final["output"] == 1
        servers = {e.server for e in session.events if isinstance(e, Declared)}
        while len(servers) < 2:
            servers.add(session.wait_for(Declared).server)
    finally:
        pool.close()


def test_pool_without_a_host_can_be_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    with a_session() as session:
        monkeypatch.setattr(
            session.pool._slot, "_start_host", lambda: (_ for _ in ()).throw(NO_ROOM)
        )
        os.kill(session.pool.host_pid, signal.SIGKILL)
        session.wait_for(HostLost)


class _FakeLink:
    """Collects events."""

    def __init__(self) -> None:
        self.events: list[tuple[str, dict[str, Any]]] = []

    def event(self, kind: str, **fields: Any) -> None:
        self.events.append((kind, fields))


class _FakeOwner:
    """The owner of an entry, and of a worker."""

    def __init__(self) -> None:
        self.calls: list[str] = []

    def __getattr__(self, name: str) -> Any:
        return lambda *arguments, **options: self.calls.append(name)


def services(clock: Any) -> Services:
    link: Any = _FakeLink()
    return Services(
        loop=Loop(clock), link=link, children=cast("Any", _FakeOwner()), settings=Settings(),
        token="t", monotonic=clock,
    )  # fmt: skip


NO_PROGRAM = FileNotFoundError(errno.ENOENT, "no such program")
COMMAND = AttemptCommand("s", AttemptKey("r", "t", 1), 1e9, 1e9, 600, None, None, 0.0)


@pytest.mark.parametrize(
    ("error", "server", "tries", "outcomes"),
    [
        (NO_ROOM, None, 3, []),
        (NO_PROGRAM, None, 1, ["not_loaded"]),
        (NO_ROOM, "s", 3, []),
        # It had been loaded: it is started again, but what waits for it does not wait for that.
        (NO_PROGRAM, "s", 3, ["not_loaded"]),
    ],
)
def test_server_is_started_again_only_after_a_shortage(
    monkeypatch: pytest.MonkeyPatch,
    error: OSError,
    server: str | None,
    tries: int,
    outcomes: list[str],
) -> None:
    now = [0.0]
    common = services(lambda: now[0])
    link = cast("_FakeLink", common.link)

    def fail(*arguments: object) -> None:
        raise error

    monkeypatch.setattr(generation_module, "start_python", fail)
    entry = ServerEntry(common, cast("Any", _FakeOwner()), ServerSpec("a.py"))
    entry.server = server
    entry.run(AttemptRecord(COMMAND, b"", common))
    entry.load()
    for delay_s in (0.1, 0.2):
        now[0] += delay_s
        common.loop.timers.fire_due()

    failures = [fields["error"] for kind, fields in link.events if kind == "load_failed"]
    assert len(failures) == tries
    assert "a.py could not be started" in failures[0]
    ended = [fields["outcome"] for kind, fields in link.events if kind == "ended"]
    assert ended == outcomes


def test_worker_without_room_for_pipes_gives_its_attempt_back() -> None:
    class NoPipes:
        def start_attempt(self, frame: bytes, output: object) -> None:
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

        def __getattr__(self, name: str) -> Any:
            return lambda *arguments: None

    common, owner = services(lambda: 0.0), _FakeOwner()
    worker = Worker(common, cast("Any", owner))
    worker.transport = cast("Any", NoPipes())
    worker.loaded()
    worker.run(AttemptRecord(COMMAND, b"", common))

    assert (worker.attempt, worker.phase) == (None, "ending")
    assert owner.calls == ["on_attempt_unstarted", "on_worker_leaving"]


def test_descriptors_are_closed_when_a_second_pipe_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    ends = [os.pipe()]

    def pipe() -> tuple[int, int]:
        if not ends:
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
        return ends.pop()

    kept = ends[0]
    monkeypatch.setattr(os, "pipe", pipe)
    transport = PythonTransport.__new__(PythonTransport)
    with pytest.raises(OSError, match="Too many open files"):
        transport.start_attempt(b"", cast("Any", None))
    for end in kept:
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.fstat(end)


def test_two_drivers_one_after_the_other(tmp_path: Path) -> None:
    """The second one's host waits until the bodies of the first are gone."""
    lock = str(tmp_path / "bodies.lock")
    with a_session(lock_path=lock) as first:
        # Loaded first: of two hosts that start together, either may get the lock.
        first.load(str(SERVERS / "bodies.py"))
        with a_session(lock_path=lock) as second:
            second.pool.start([ServerSpec(str(SERVERS / "bodies.py"))])
            waiting = second.begin("noop")
            first.begin("wait-forever", marker=str(tmp_path / "marker"))
            body = int(read_when_there(tmp_path / "marker"))
            assert second.pool.receive() == []
            first.pool.close()

            assert second.end(waiting).final["state"] == "completed"
            assert not is_alive(body)


def test_second_driver_that_gives_up_leaves_no_host(tmp_path: Path) -> None:
    lock = str(tmp_path / "bodies.lock")
    with a_session(lock_path=lock) as first:
        first.load(str(SERVERS / "bodies.py"))
        with a_session(lock_path=lock) as second:
            host = second.pool.host_pid
        assert not is_alive(host)
        assert first.do("noop").final["state"] == "completed"


def test_engine_that_does_not_read_stops_the_bodies(tmp_path: Path) -> None:
    """The host reads no more than its backlog, and nothing is lost."""
    with a_session() as session:
        session.load(str(SERVERS / "bodies.py"), concurrency=4)
        session.do("noop")
        before = peak_memory(session.pool.host_pid)
        commands = [session.begin("flood", mb=8) for _ in range(4)]
        pipes_full(session)
        grown = peak_memory(session.pool.host_pid) - before
        attempts = [session.end(command) for command in commands]

        assert [len(attempt.output("stdout")) for attempt in attempts] == [8 * 2**20] * 4
        assert grown < 8 * 2**20


def peak_memory(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) * 1024


def pipes_full(session: Session) -> None:
    """Wait until every body of the host waits, and has for a while."""
    host, quiet = session.pool.host_pid, 0
    while quiet < 200:
        stats = processes.all_processes()
        templates = {stat.pid for stat in stats if stat.parent == host}
        states = {stat.state for stat in stats if stat.parent in templates or stat.pid == host}
        quiet = quiet + 1 if states == {"S"} else 0


def test_user_code_has_the_limits_of_the_engine(tmp_path: Path) -> None:
    target = tmp_path / "limits_of_it.py"
    target.write_text(
        "import resource\nfrom cordyna_core import TaskServer\nserver = TaskServer('limits')\n"
        "@server.task\ndef limit() -> int: return resource.getrlimit(resource.RLIMIT_NOFILE)[0]\n"
    )
    import resource  # noqa: PLC0415  only here

    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    with a_session() as session:
        session.load(str(target))
        assert session.do("limit", server="limits").final["output"] == soft
        host = Path(f"/proc/{session.pool.host_pid}/limits").read_text()
        assert int(host.split("Max open files")[1].split()[0]) >= soft
