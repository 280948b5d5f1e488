"""Bodies that do what no body should: the engine, its home and its terminal survive them."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

SERVER = r"""
import os, signal, subprocess, sys, threading
from cordyna_core import Context, TaskServer

print("printed while the module is loaded")
server = TaskServer("odd")

@server.task
def interrupts() -> None:
    raise KeyboardInterrupt

@server.task
def surrogate() -> None:
    print("\ud800")

@server.task
def shouts(*, ctx: Context) -> str:
    print("plainly")
    ctx.log.info("logged")
    subprocess.run([sys.executable, "-c", "print('by a process')"], check=True)
    os.write(1, b"by a descriptor\n")
    sys.stdout.buffer.write(b"by a buffer\n")
    sys.stdout.buffer.flush()
    thread = threading.Thread(target=print, args=("by a thread",))
    thread.start()
    thread.join()
    sys.stdout.close()
    return "done"

@server.task
def dies() -> None:
    os.kill(os.getpid(), signal.SIGKILL)

@server.task
def ok() -> str:
    return "ok"
"""

TWINS = """
from cordyna_core import TaskServer
one, two = TaskServer("same"), TaskServer("same")
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "odd.py").write_text(SERVER)
    (tmp_path / "twins.py").write_text(TWINS)
    return tmp_path


def dyna(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The real command, as a process of its own."""
    environment = {**os.environ, "CORDYNA_HOME": str(folder / "home"), "COLUMNS": "100"}
    command = [str(Path(sys.executable).with_name("dyna")), *arguments]
    return subprocess.run(
        command,
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def do(folder: Path, task: str) -> dict[str, Any]:
    """The JSON of a run; nothing else is on stdout."""
    told: dict[str, Any] = json.loads(
        dyna(folder, "--server", "odd.py", "do", task, "--json").stdout
    )
    return told


def test_body_that_raises_keyboard_interrupt_fails_its_task(folder: Path) -> None:
    run = do(folder, "interrupts")

    assert (run["state"], run["tasks"][0]["error"]["type"]) == ("error", "KeyboardInterrupt")
    assert do(folder, "ok")["state"] == "completed"


def test_output_that_is_no_text_is_stored_escaped(folder: Path) -> None:
    assert do(folder, "surrogate")["state"] == "completed"
    assert dyna(folder, "logs").stdout.count("?") >= 1


def test_output_of_any_kind_is_in_the_log_and_not_on_stdout(
    folder: Path,
) -> None:
    assert do(folder, "shouts")["state"] == "completed"

    log = dyna(folder, "logs").stdout
    for said in (
        "plainly",
        "logged",
        "by a process",
        "by a descriptor",
        "by a buffer",
        "by a thread",
    ):
        assert said in log


def test_task_that_killed_engine_is_named_by_the_next_engine(
    folder: Path,
) -> None:
    assert dyna(folder, "--server", "odd.py", "do", "dies").returncode == -9

    again = dyna(folder, "--server", "odd.py", "do", "ok")

    assert again.returncode == -9
    assert "(dies) was interrupted and goes on; `dyna cancel" in again.stderr


def test_two_servers_of_one_name_are_refused(folder: Path) -> None:
    told = dyna(folder, "--server", "twins.py:one", "--server", "twins.py:two", "do", "x")

    assert told.returncode == 1
    assert "twins.py:one and twins.py:two are both named 'same'" in told.stderr


def test_interrupted_run_is_ignored_by_engine_of_other_servers(folder: Path) -> None:
    (folder / "other.py").write_text(
        'from cordyna_core import TaskServer\ns = TaskServer("other")\ns.task(name="mine")(lambda: 1)\n'
    )
    assert dyna(folder, "--server", "odd.py", "do", "dies").returncode == -9

    other = dyna(folder, "--server", "other.py", "do", "mine", "--json")

    assert json.loads(other.stdout)["state"] == "completed"
    assert [line.split()[1] for line in dyna(folder, "runs").stdout.splitlines()[1:]] == [
        "mine",
        "dies",
    ]
