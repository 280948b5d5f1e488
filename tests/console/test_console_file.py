"""The console file names a console that is up, also after another one of the folder has ended."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from console.consoles import a_console, an_engine
from cordyna_console.console_file import ConsoleFile
from cordyna_console.server import ConsoleServer


@pytest.fixture
def other_process() -> Iterator[int]:
    command = [sys.executable, "-c", "input()"]
    with subprocess.Popen(command, stdin=subprocess.PIPE) as process:
        yield process.pid
        process.kill()


def serve_once(file: Path) -> int:
    with an_engine() as engine:
        server = ConsoleServer(a_console(engine), file, port=None)
        server.start()
        server.stop()
        return server.port


def test_file_names_the_console_that_is_still_up(tmp_path: Path, other_process: int) -> None:
    file = tmp_path / "console.json"
    first = ConsoleFile(8421, other_process, "token")
    first.write(file)
    serve_once(file)
    assert ConsoleFile.read(file) == first


def test_file_of_an_ended_console_keeps_its_token_only(tmp_path: Path) -> None:
    file = tmp_path / "console.json"
    ConsoleFile(8421, 2**22 + 1, "token").write(file)
    port = serve_once(file)
    assert ConsoleFile.read(file) == ConsoleFile(port, os.getpid(), "token")


def test_process_of_another_user_counts_as_running(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(pid: int, signal: int) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "kill", refuse)
    assert ConsoleFile(8421, 1, "token").is_of_another_process()
    assert not ConsoleFile(8421, os.getpid(), "token").is_of_another_process()
