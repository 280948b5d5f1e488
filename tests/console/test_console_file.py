"""The console file names the consoles that are up, even after others of the folder have ended."""

import fcntl
import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import pytest

from console.consoles import a_console, an_engine
from cordyna_console.console_file import ConsoleFile
from cordyna_console.entry import ConsoleEntry
from cordyna_console.server import ConsoleServer

NO_PROCESS = 2**22 + 1


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


def test_file_is_readable_by_its_owner_only(tmp_path: Path) -> None:
    """It holds the token."""
    file = tmp_path / "home" / "console.json"
    for number in range(2):
        ConsoleFile(8421 + number, os.getpid(), "token").add_to(file)
        assert (file.stat().st_mode & 0o777, file.parent.stat().st_mode & 0o777) == (0o600, 0o700)


def test_file_names_the_console_that_is_still_up(tmp_path: Path, other_process: int) -> None:
    file = tmp_path / "console.json"
    first = ConsoleFile(8421, other_process, "token")
    first.write(file)
    serve_once(file)
    assert ConsoleFile.read(file) == first


def test_file_of_an_ended_console_keeps_its_token_only(tmp_path: Path) -> None:
    file = tmp_path / "console.json"
    ConsoleFile(8421, NO_PROCESS, "token").write(file)
    port = serve_once(file)
    assert ConsoleFile.read(file) == ConsoleFile(port, os.getpid(), "token")


def test_started_console_is_first_before_the_others(tmp_path: Path, other_process: int) -> None:
    file = tmp_path / "console.json"
    first, ended = ConsoleFile(8421, other_process, "a"), ConsoleFile(8422, NO_PROCESS, "a")
    ConsoleFile(8422, NO_PROCESS, "a", others=(first,)).write(file)
    second = ConsoleFile(8423, os.getpid(), "a")
    second.add_to(file)
    named = ConsoleFile.read(file)
    assert named is not None
    assert named.consoles == (second, first)
    assert ended not in named.consoles


@pytest.mark.parametrize("pid", [NO_PROCESS, 2**70, os.getpid()], ids=["gone", "none", "another"])
def test_find_skips_the_console_that_was_killed(tmp_path: Path, pid: int) -> None:
    """Its process is gone, or another one got the number and does not listen there."""
    file = tmp_path / "console.json"
    with an_engine() as engine:
        server = ConsoleServer(a_console(engine), file, port=None)
        server.start()
        up = ConsoleFile.read(file)
        assert up is not None
        ConsoleFile(9, pid, up.token, others=(up,)).write(file)
        address_of = ConsoleEntry().find(tmp_path)
        server.stop()
    assert address_of is not None
    assert address_of("/").startswith(f"http://127.0.0.1:{server.port}/")


def test_stop_leaves_a_file_that_does_not_name_it(tmp_path: Path) -> None:
    file = tmp_path / "home" / "console.json"
    entry = ConsoleFile(8421, os.getpid(), "token")
    entry.remove_from(file)
    assert not file.parent.exists()
    other = ConsoleFile(8422, os.getpid(), "token")
    other.write(file)
    entry.remove_from(file)
    assert ConsoleFile.read(file) == other


def test_consoles_that_start_at_once_are_both_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, other_process: int
) -> None:
    """The other one has the lock first, and writes before this one gets it."""
    file = tmp_path / "console.json"
    other, this = ConsoleFile(8421, other_process, "a"), ConsoleFile(8422, os.getpid(), "a")

    def wait_for_the_other(_descriptor: int, _operation: int) -> None:
        file.write_text(json.dumps(asdict(other)))

    monkeypatch.setattr(fcntl, "flock", wait_for_the_other)
    this.add_to(file)
    named = ConsoleFile.read(file)
    assert named is not None
    assert named.consoles == (this, other)


def test_token_of_an_ended_console_is_sent_to_no_one(tmp_path: Path) -> None:
    """Another program may listen on its port by now."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0)
        port = listener.getsockname()[1]
        ConsoleFile(port, NO_PROCESS, "token").write(tmp_path / "console.json")
        assert ConsoleEntry().find(tmp_path) is None
        with pytest.raises(BlockingIOError):
            listener.accept()


def test_process_of_another_user_counts_as_running(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(pid: int, signal: int) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "kill", refuse)
    assert ConsoleFile(8421, 1, "token").is_of_another_process()
    assert not ConsoleFile(8421, os.getpid(), "token").is_of_another_process()
