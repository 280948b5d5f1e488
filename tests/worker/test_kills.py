"""Kills at random moments: every attempt still gets one answer, and nothing is left behind."""

import os
import random
import signal
from pathlib import Path
from typing import Final

import pytest

from cordyna_core.environment import WORKER_HOST_VARIABLE
from cordyna_core.worker import processes
from cordyna_core.worker.pool.events import Busy, Declared
from worker.running import FAST, SERVERS, Session, a_session, read_when_there, wait_until_dead

_KILLS: Final = int(os.environ.get("WORKER_KILLS", "6"))
_SIGNALS: Final = (signal.SIGKILL, signal.SIGKILL, signal.SIGTERM)


@pytest.mark.parametrize("seed", range(2))
def test_attempts_are_answered_once_whatever_is_killed(seed: int) -> None:
    rng = random.Random(seed)
    with a_session() as session:
        session.load(str(SERVERS / "bodies.py"), concurrency=3)
        commands = []
        for _ in range(_KILLS):
            commands += [session.begin("lines", n=rng.randrange(2000)) for _ in range(6)]
            _kill_one(session, rng)
        for command in commands:
            attempt = session.end(command)
            final = attempt.final
            assert len(attempt.outcomes) == 1
            if final["state"] == "completed":
                lines = "".join(f"line {n}\n" for n in range(final["output"]))
                assert attempt.output("stdout") == lines
            else:
                assert final["reason"] == "worker_died"
        # Whatever was killed last: the server serves again.
        while session.do("noop").final["state"] != "completed":
            session.wait_for(Declared)
        assert session.pool._slot._host is not None
        token = session.pool._slot._host.token
    assert processes.with_environment(f"{WORKER_HOST_VARIABLE}={token}") == []


def _kill_one(session: Session, rng: random.Random) -> None:
    """Kill the host, the template or a body."""
    session.pool.request_busy()
    host = session.pool.host_pid
    if rng.random() < 0.2:
        os.kill(host, signal.SIGKILL)
        wait_until_dead(host)
        return
    busy = session.wait_for(Busy)
    pids = [pid for server in busy.servers for pid in server.pids]
    if pids:
        try:
            os.kill(rng.choice(pids), rng.choice(_SIGNALS))
        except ProcessLookupError:
            return  # it has ended by itself


def test_template_that_is_stopped_is_replaced() -> None:
    with a_session(FAST._replace(template_timeout_s=0.3)) as session:
        session.load(str(SERVERS / "bodies.py"))
        session.pool.request_busy()
        template = session.wait_for(Busy).servers[0].pids[0]
        os.kill(template, signal.SIGSTOP)

        attempt = session.do("noop")

        assert attempt.final["reason"] == "worker_died"
        session.wait_for(Declared)
        assert session.do("noop").final["state"] == "completed"


def test_end_that_a_stopped_template_hides_is_noticed(tmp_path: Path) -> None:
    with a_session(FAST._replace(template_timeout_s=0.3)) as session:
        session.load(str(SERVERS / "bodies.py"))
        command = session.begin("wait-forever", marker=str(tmp_path / "marker"))
        body = int(read_when_there(tmp_path / "marker"))
        session.pool.request_busy()
        template = session.wait_for(Busy).servers[0].pids[0]
        os.kill(template, signal.SIGSTOP)
        os.kill(body, signal.SIGKILL)

        assert session.end(command).final["reason"] == "worker_died"


def test_body_that_is_stopped_is_ended_by_its_run_clock(tmp_path: Path) -> None:
    with a_session() as session:
        session.load(str(SERVERS / "bodies.py"))
        marker = tmp_path / "marker"
        command = session.begin("wait-forever", marker=str(marker), timeout_s=0.5)
        os.kill(int(read_when_there(marker)), signal.SIGSTOP)

        assert session.end(command).final["reason"] == "run_timeout"
