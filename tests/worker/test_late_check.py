"""Late check: a lone body ends its attempt before it is known whether its process can be reused."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from cordyna_core.worker.pool.events import AttemptEnded, Declared, StateUpdate
from cordyna_core.worker.protocol import AttemptKey
from worker.fake_server import Server
from worker.running import FAST, Attempt, Session, a_session

NEXT = AttemptKey("1" * 26, "a", 1)

DIRTY = """
import os, time
from cordyna_core import TaskServer

server = TaskServer("dirty")

@server.task
def moves(seconds: float = 0.0) -> int:
    time.sleep(seconds)
    os.chdir("/")
    return os.getpid()
"""


def outcomes(server: Server) -> list[str]:
    return [event.outcome for event in server.link.events if isinstance(event, AttemptEnded)]


@pytest.fixture
def server() -> Iterator[Server]:
    found = Server()
    yield found
    found.services.loop.close()


def test_state_is_handed_on_before_the_check(server: Server) -> None:
    server.begin()
    server.end(is_checked=False)

    states = [event.message.state for event in server.link.events if isinstance(event, StateUpdate)]
    assert states == ["started", "completed"]
    assert outcomes(server) == []

    server.send("WorkerChecked", {"unclean": ""})
    assert outcomes(server) == ["reused"]
    assert server.worker.phase == "idle"


def test_process_that_is_not_clean_is_retired(server: Server) -> None:
    server.begin()
    server.end(is_checked=False)
    server.send("WorkerChecked", {"unclean": "another umask"})

    assert server.transport.was_asked_to_exit
    assert server.worker.phase == "ending"


def test_check_before_the_end_of_the_pipes_waits_for_it(server: Server) -> None:
    server.begin()
    server.transport.is_open = True
    server.end(is_checked=False)
    server.send("WorkerChecked", {"unclean": ""})
    assert outcomes(server) == []

    server.transport.is_open = False
    server.worker.on_output_end()
    assert outcomes(server) == ["reused"]


def test_end_of_the_pipes_before_the_check_waits_for_it(server: Server) -> None:
    server.begin()
    server.end(is_checked=False)
    server.worker.on_output_end()
    assert outcomes(server) == []

    server.send("WorkerChecked", {"unclean": ""})
    assert outcomes(server) == ["reused"]


def test_process_that_is_never_checked_is_ended(server: Server) -> None:
    server.begin()
    server.end(is_checked=False)
    server.pass_time(FAST.pipes_grace_s + 1)

    assert server.worker.phase == "ending"


def test_check_of_an_idle_worker_is_ignored(server: Server) -> None:
    server.begin()
    server.end()
    server.send("WorkerChecked", {"unclean": "another umask"})

    assert server.worker.phase == "idle"
    assert outcomes(server) == ["reused"]


@pytest.mark.parametrize(
    ("unclean", "is_reused", "starts"), [("", True, 0), ("another umask", False, 1)]
)
def test_next_attempt_waits_for_the_check(
    monkeypatch: pytest.MonkeyPatch, unclean: str, *, is_reused: bool, starts: int
) -> None:
    server = Server(concurrency=2)
    server.begin()
    server.end(is_checked=False)
    started: list[str] = []
    generation = next(iter(server.entry._generations))
    monkeypatch.setattr(generation, "start_worker", lambda: started.append("a process"))
    server.run(NEXT)
    assert started == []

    server.send("WorkerChecked", {"unclean": unclean})
    assert (server.worker.phase == "busy") is is_reused
    assert len(started) == starts
    server.services.loop.close()


def test_only_a_lone_attempt_may_check_late() -> None:
    server = Server(concurrency=1)
    server.begin()
    server.run(NEXT)
    server.run(AttemptKey("2" * 26, "a", 1))
    server.end()
    server.end(NEXT)

    fields = [json.loads(frame) for frame in server.transport.frames]
    assert ["check_later" in frame for frame in fields] == [True, False, True]
    server.services.loop.close()


def test_bodies_are_replaced_whenever_they_are_checked(tmp_path: Path) -> None:
    target = tmp_path / "dirty.py"
    target.write_text(DIRTY)
    with a_session() as session:
        assert isinstance(session.load(str(target)), Declared)
        alone = session.do("moves", server="dirty")
        together = _both(session)

    pids = [attempt.final["output"] for attempt in (alone, *together)]
    assert len(set(pids)) == 3
    assert [attempt.outcome for attempt in (alone, *together)] == ["retired"] * 3


def _both(session: Session) -> list[Attempt]:
    commands = [session.begin("moves", server="dirty", seconds=0.2) for _ in "ab"]
    return [session.end(command) for command in commands]
