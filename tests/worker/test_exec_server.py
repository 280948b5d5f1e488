"""A server in POSIX shell, over the local worker protocol."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from cordyna_core.worker.pool.events import DeadLetter, Declared, LoadFailed
from worker.running import FAST, SERVERS, Session, a_session


@pytest.fixture
def session() -> Iterator[Session]:
    with a_session() as found:
        declared = found.load(f"exec:sh {SERVERS / 'shell.sh'}")
        assert isinstance(declared, Declared), declared
        assert declared.mode == "exec"
        yield found


def test_shell_server_runs_a_task(session: Session) -> None:
    attempt = session.do("greet", server="shell")

    assert attempt.states == ["started", "started", "completed"]
    assert attempt.final["output"] == "hi"
    assert attempt.final["meta"]["id"]
    assert attempt.output("stdout") == "hello from shell\n{not a frame}\n"
    assert attempt.output("stderr") == "on stderr\n"


def test_shell_server_that_exits_is_started_again(session: Session) -> None:
    attempt = session.do("crash", server="shell")

    assert attempt.final["reason"] == "worker_died"
    assert "exit code 7" in attempt.final["error"]["message"]
    assert attempt.final["error"]["traceback"] == "about to crash"
    assert session.do("greet", server="shell").final["state"] == "completed"


def test_frame_for_another_attempt_is_a_dead_letter(session: Session) -> None:
    attempt = session.do("wrong", server="shell")

    dead = [event for event in session.events if isinstance(event, DeadLetter)]
    assert len(dead) == 2
    assert attempt.final["error"]["type"] == "BadFrame"
    assert "NaN is not a JSON number" in attempt.final["error"]["message"]


def test_final_state_that_is_not_of_the_contract_is_refused(session: Session) -> None:
    attempt = session.do("invalid", server="shell")

    assert attempt.final["reason"] == "failed_terminal"
    assert "error: Input should be" in attempt.final["error"]["message"]
    assert DeadLetter in map(type, session.events)


def test_shell_server_is_stopped_by_its_run_clock(session: Session) -> None:
    attempt = session.do("sleep", server="shell", timeout_s=0.1)

    assert attempt.states == ["started", "error"]
    assert attempt.final["reason"] == "run_timeout"


def test_command_that_does_not_exist_fails_to_load() -> None:
    with a_session() as session:
        failed = session.load("exec:no-such-program --at-all")

        assert isinstance(failed, LoadFailed)
        assert "no-such-program" in failed.error


def test_command_that_only_prints_fails_to_load() -> None:
    with a_session() as session:
        failed = session.load("exec:echo hello")

        assert isinstance(failed, LoadFailed)
        assert "exit code 0" in failed.error


SECOND_HANGS = """
import json, pathlib, sys, time
starts = pathlib.Path(__file__).with_name("starts")
with starts.open("a") as file:
    file.write(".")
if len(starts.read_text()) == 2:
    time.sleep(600)
print(json.dumps({"detail-type": "ServerDeclared", "detail": {"server": "x"}}), flush=True)
held = pathlib.Path(__file__).with_name("held")
for line in sys.stdin:
    detail = json.loads(line)["detail"]
    while detail["task"] == "holds" and held.exists():
        time.sleep(0.01)
    own = {name: detail[name] for name in ("run_id", "task", "attempt")}
    state = {**own, "state": "completed", "output": len(starts.read_text())}
    print(json.dumps({"detail-type": "TaskStateChanged", "detail": state}), flush=True)
"""


def test_further_worker_that_hangs_gives_its_place_back(tmp_path: Path) -> None:
    """It loads for ever, and its server may have two: the next one runs the task."""
    file, held = tmp_path / "server.py", tmp_path / "held"
    file.write_text(SECOND_HANGS)
    held.touch()
    with a_session(FAST._replace(load_timeout_s=1.0, restart_min_s=0.05)) as session:
        answer = session.load(f"exec:{sys.executable} {file}", concurrency=2)
        assert isinstance(answer, Declared), answer
        holding = session.begin("holds", server="x")

        assert session.do("other", server="x").final["output"] == 3
        held.unlink()
        assert session.end(holding).final["output"] == 3
