"""`dyna ui`, `open`, `--open` and `dev`: what is printed, and what is opened."""

import base64
import io
import json
import os
import re
import signal
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from cerebro.embedded.embedded_engine import EmbeddedEngine
from cerebro.embedded.engine import open_engine
from cordyna_cli.aws.operations import AwsOperations
from cordyna_cli.console import installed_console
from cordyna_cli.engine import EngineOptions
from cordyna_cli.input.environment import Environment
from cordyna_cli.main import main
from cordyna_console.console_file import ConsoleFile
from cordyna_console.server import ConsoleServer
from cordyna_core.errors import UserError

SERVER = """
from cordyna_core import TaskServer
server = TaskServer("one")
server.task(name="x")(lambda: 1)
"""
LINE = re.compile(r"^console  (http://127\.0\.0\.1:\d+/open\?code=\S+)", re.MULTILINE)
LINE_OF_STDOUT = re.compile(r"http://127\.0\.0\.1:\d+/open\?code=\S+\n")


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    addresses: list[str] = []
    monkeypatch.setattr("webbrowser.open", addresses.append)
    return addresses


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "one.py").write_text(SERVER)
    return tmp_path


def dyna(project: Path, *words: str) -> tuple[int, str, str]:
    """Status, stdout and stderr of a call in a project with one server and a home."""
    stdout, stderr = io.StringIO(), io.StringIO()
    environment = Environment(
        argv=("--home", str(project / "home"), "--server", str(project / "one.py"), *words),
        environ={"HOME": str(project), "PATH": "/usr/bin:/bin"},
        cwd=project,
        stdin=io.StringIO(),
        stdout=stdout,
        stderr=stderr,
        now=lambda: datetime(2026, 11, 28, tzinfo=UTC),
        engines={"embedded": _open_in_process},
    )
    return main(environment), stdout.getvalue(), stderr.getvalue()


def _open_in_process(options: EngineOptions) -> EmbeddedEngine:
    from dataclasses import replace  # noqa: PLC0415

    return open_engine(replace(options, in_process=True))


@contextmanager
def console_up(project: Path) -> Iterator[None]:
    """`dyna ui` in another thread, until the block ends."""
    started = threading.Event()
    original = ConsoleServer.start

    def start(server: ConsoleServer) -> None:
        original(server)
        servers.append(server)
        started.set()

    servers: list[ConsoleServer] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ConsoleServer, "start", start)
        ended: list[tuple[int, str, str]] = []
        thread = threading.Thread(target=lambda: ended.append(dyna(project, "ui", "--no-open")))
        thread.start()
        assert started.wait(30), ended
        try:
            yield
        finally:
            servers[0].stop()
            thread.join(30)


def test_open_finds_the_console_that_is_up(project: Path, opened: list[str]) -> None:
    with console_up(project):
        status, stdout, stderr = dyna(project, "open")
        assert (status, stdout) == (0, "")
        found = LINE.search(stderr)
        assert found is not None, stderr
        assert opened == [found.group(1)]
        with urllib.request.urlopen(found.group(1)) as answer:
            assert answer.url.endswith("/")
            assert b"<!doctype html>" in answer.read()


def test_no_open_prints_the_address_alone_on_stdout(project: Path, opened: list[str]) -> None:
    with console_up(project):
        status, stdout, stderr = dyna(project, "open", "--no-open")
        assert (status, opened) == (0, [])
        assert stderr == "opens once, within a minute; `dyna open` prints another\n"
        assert stdout.endswith("\n")
        with urllib.request.urlopen(stdout.removesuffix("\n")) as answer:
            assert b"<!doctype html>" in answer.read()


@pytest.mark.parametrize("command", ["ui", "open"])
def test_sigterm_ends_a_console_orderly(
    project: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    file = project / "home" / "console.json"
    # The process of the test runner's parent is up, but listens nowhere.
    up = ConsoleFile(9, os.getppid(), "token")
    up.write(file)
    named: list[ConsoleFile | None] = []

    def terminate(server: ConsoleServer) -> bool:
        named.append(ConsoleFile.read(file))
        signal.raise_signal(signal.SIGTERM)
        return False

    monkeypatch.setattr(ConsoleServer, "has_stopped", terminate)
    before = signal.getsignal(signal.SIGTERM)
    try:
        status, stdout, _ = dyna(project, command, "--no-open")
    finally:
        signal.signal(signal.SIGTERM, before)
    assert (status, LINE_OF_STDOUT.fullmatch(stdout) is None) == (0, False), stdout
    ((first, second),) = [entry.consoles for entry in named if entry is not None]
    assert (first.pid, second) == (os.getpid(), up)
    assert ConsoleFile.read(file) == up


def test_open_of_a_run_and_a_task_leads_there(project: Path, opened: list[str]) -> None:
    with console_up(project):
        status, stdout, stderr = dyna(project, "do", "x", "--detach")
        assert status == 0, stderr
        run_id = stdout.strip()
        assert dyna(project, "open", run_id[:8])[0] == 0
        assert opened[-1].endswith(f"to=%2Fruns%2F{run_id}")
        assert dyna(project, "open", run_id, "x")[0] == 0
        assert opened[-1].endswith(f"to=%2Fruns%2F{run_id}%2Ftasks%2Fx")
        assert dyna(project, "why", run_id, "--open")[0] == 0
        assert opened[-1].endswith(f"to=%2Fruns%2F{run_id}")
        assert dyna(project, "open", "ZZZZ")[0] == 3


def test_plan_opens_the_form_and_the_rehearsal(project: Path, opened: list[str]) -> None:
    with console_up(project):
        assert dyna(project, "plan", "x", "--open")[0] == 0
        assert opened[-1].endswith("to=%2Finvoke%2Fx")
        assert dyna(project, "plan", "--declare", str(project / "one.py"), "--open")[0] == 0
        address, _, fragment = opened[-1].partition("#")
        assert address.endswith("to=%2Frehearse")
        (declared,) = json.loads(base64.urlsafe_b64decode(fragment))
        assert declared["server"] == "one"


def test_open_flag_without_a_console_says_what_to_run(project: Path, opened: list[str]) -> None:
    status, _, stderr = dyna(project, "do", "x", "--open")
    assert status == 0
    assert "no console is up: `dyna ui` serves one" in stderr
    assert opened == []


def test_console_file_of_a_dead_process_is_no_console(project: Path, opened: list[str]) -> None:
    ConsoleFile(9, 1, "token").write(project / "home" / "console.json")
    status, _, stderr = dyna(project, "why", "--open")
    assert (status, opened) == (3, [])
    assert "there is no run yet" in stderr


def test_ui_on_a_taken_port_is_a_clear_error(project: Path) -> None:
    with console_up(project):
        file = ConsoleFile.read(project / "home" / "console.json")
        assert file is not None
        status, _, stderr = dyna(project, "ui", "--no-open", "--port", str(file.port))
    assert status == 1
    assert f"could not listen on port {file.port}" in stderr


@pytest.mark.parametrize("missing", ["all", "a package"])
def test_console_that_is_not_installed_is_a_clear_error(
    project: Path, monkeypatch: pytest.MonkeyPatch, missing: str
) -> None:
    class Broken:
        def load(self) -> None:
            raise ModuleNotFoundError("No module named 'fastapi'", name="fastapi")

    found = [] if missing == "all" else [Broken()]
    monkeypatch.setattr("cordyna_cli.console.entry_points", lambda group: found)
    with pytest.raises(UserError, match="not installed") as error:
        installed_console()
    assert error.value.next == "pip install 'cordyna-console'"
    assert dyna(project, "ui")[0] == 1


def test_letters_on_aws_are_put_back_together() -> None:
    operations = AwsOperations.__new__(AwsOperations)
    with pytest.raises(UserError, match="one by one") as error:
        operations.redrive("a-queue", ["an-id"])
    assert error.value.next == "dyna dlq redrive a-queue"
