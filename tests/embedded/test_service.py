"""`dyna dev` as a service: it drains on SIGTERM, answers health checks, and writes JSON lines."""

import json
import logging
import signal
import socket
import sys
import threading
import urllib.error
import urllib.request
from io import StringIO
from pathlib import Path

import pytest

from cordyna_cli.dev_service import HOST, health_check, logging_to
from cordyna_core.errors import UserError
from world.command_line import Folder, end, processes_with, until

SERVER = """
import signal, time
from pathlib import Path
from cordyna_core import TaskServer

server = TaskServer("slow")

@server.task
def nap(s: float) -> str:
    Path("began").touch()
    try:
        time.sleep(s)
    finally:
        Path("cleaned-up").touch()
    return "rested"

@server.task
def ignores() -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    Path("began").touch()
    time.sleep(600)
"""


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path, "slow.py", SERVER)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


def health(port: int) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(f"http://{HOST}:{port}/health", timeout=5) as answer:
            return answer.status, json.loads(answer.read())["status"]
    except urllib.error.HTTPError as answer:
        return answer.code, json.loads(answer.read())["status"]


def state_of(folder: Folder, run_id: str) -> str:
    state: str = json.loads(folder.bare("show", run_id, "--json").stdout)["state"]
    return state


def begin(folder: Folder, task: str, *options: str) -> str:
    run_id = folder.bare("do", task, "--detach", *options).stdout.strip()
    until((folder.path / "began").exists)
    return run_id


def test_sigterm_lets_a_running_body_end(folder: Folder) -> None:
    service = folder.start("dev", "--no-page", "--drain", "20s")
    until((folder.home / "cordyna.db").exists)
    until(lambda: "running" in folder.bare("doctor").stdout or folder.bare("tasks").stdout)
    run_id = begin(folder, "nap", "-p", "s=1")

    output = end(service).partition("INFO draining for at most 20 s: 1 run active; a second ")[2]

    assert service.returncode == 0
    assert "✓ completed" in output, "what happens meanwhile is shown"
    assert "continue" not in output
    assert state_of(folder, run_id) == "completed"
    assert (folder.home / "driver.lock").read_text() == ""


def test_body_cut_by_a_drain_is_resumed_by_the_next_start(folder: Folder) -> None:
    service = folder.start("dev", "--no-page", "--drain", "0s")
    until(lambda: "nap" in folder.bare("tasks").stdout)
    run_id = begin(folder, "nap", "-p", "s=2")

    output = end(service)

    assert service.returncode == 0
    assert output.endswith("INFO 1 run continues with the next start\n")
    assert (folder.path / "cleaned-up").exists(), "SIGTERM ran its finally"
    assert state_of(folder, run_id) == "running"
    assert folder.dyna("watch", run_id).returncode == 0
    assert state_of(folder, run_id) == "completed"


def test_ctrl_c_says_that_runs_continue_with_the_next_start(folder: Folder) -> None:
    service = folder.start("dev", "--no-page")
    until(lambda: "nap" in folder.bare("tasks").stdout)
    begin(folder, "nap", "-p", "s=600")

    output = end(service, signal.SIGINT)

    assert service.returncode == 130
    assert "ending what runs; 1 active run continues with the next dyna dev" in output


def test_second_sigterm_ends_at_once_and_leaves_no_process(folder: Folder) -> None:
    service = folder.start("dev", "--no-page", "--drain", "60s")
    until(lambda: "ignores" in folder.bare("tasks").stdout)
    begin(folder, "ignores")

    def has_ended() -> bool:
        service.send_signal(signal.SIGTERM)
        return service.poll() is not None

    until(has_ended)
    service.communicate()

    assert service.returncode == 0
    until(lambda: not processes_with(str(folder.home)))


def test_service_writes_json_lines_and_answers_health_checks(folder: Folder) -> None:
    port = free_port()
    service = folder.start("dev", "--no-page", "--log-format", "json", "--health", str(port))
    until(lambda: "nap" in folder.bare("tasks").stdout)
    begin(folder, "nap", "-p", "s=0")
    assert health(port) == (200, "ok")

    lines = [json.loads(line) for line in end(service).splitlines()]

    assert {"RunTask", "TaskStateChanged"} <= {line.get("detail-type") for line in lines}
    assert any(line.get("message", "").startswith("draining") for line in lines)


@pytest.mark.parametrize(
    ("age_s", "status"),
    [(0.5, 200), (10.5, 503), (None, 503)],
)
def test_health_check_depends_on_the_last_turn(age_s: float | None, status: int) -> None:
    port = free_port()
    with health_check(port, lambda: age_s):
        assert health(port)[0] == status
        with pytest.raises(urllib.error.HTTPError, match="404"):
            urllib.request.urlopen(f"http://{HOST}:{port}/other", timeout=5)


def test_health_check_without_port_does_nothing() -> None:
    with health_check(None, lambda: 0.0):
        assert all(thread.name != "health" for thread in threading.enumerate())


def test_health_check_on_a_used_port_is_refused() -> None:
    with socket.socket() as taken:
        taken.bind((HOST, 0))
        taken.listen()
        with (
            pytest.raises(UserError, match="cannot be used"),
            health_check(taken.getsockname()[1], lambda: 0.0),
        ):
            pass


@pytest.mark.parametrize("as_json", [True, False])
def test_log_records_are_written_one_a_line(*, as_json: bool) -> None:
    stream = StringIO()
    with logging_to(stream, as_json=as_json):
        try:
            int("1 / 0")
        except ValueError:
            logging.getLogger("cordyna").exception("it failed")

    if as_json:
        record = json.loads(stream.getvalue())
        assert (record["level"], record["message"]) == ("error", "it failed")
        assert "1 / 0" in record["traceback"]
    else:
        assert stream.getvalue().startswith("ERROR it failed")
    assert sys.stderr is not stream
