"""Bodies that misbehave: the engine, its home, its terminal and other tasks are not affected."""

import json
from pathlib import Path

import pytest

from world.command_line import Folder

SERVER = r"""
import ctypes, logging, multiprocessing, os, re, signal, subprocess, sys, threading, time
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
def configures(*, ctx: Context) -> None:
    logging.getLogger("a.module").info("kept by default")
    logging.basicConfig(level=logging.DEBUG, format="%(message)s")
    logging.getLogger("a.module").debug("kept once")
    ctx.log.debug("kept of the task")

@server.task
def shouts(*, ctx: Context) -> str:
    print("plainly")
    ctx.log.info("logged")
    subprocess.run([sys.executable, "-c", "print('by a process')"], check=True)
    subprocess.run(["echo", "by a stream"], stdout=sys.stdout, check=True)
    os.write(1, b"by a descriptor\n")
    sys.stdout.writelines(["by ", "lines\n"])
    sys.stdout.buffer.write(b"by a buffer\n")
    sys.stdout.buffer.flush()
    thread = threading.Thread(target=print, args=("by a thread",))
    thread.start()
    thread.join()
    child = multiprocessing.get_context("fork").Process(target=print, args=("by a child",))
    child.start()
    child.join()
    if (pid := os.fork()) == 0:
        print("by a fork", flush=True)
        os._exit(0)
    os.waitpid(pid, 0)
    return "done"

@server.task
def secret() -> None:
    subprocess.run(["sh", "-c", "echo secret of another task"], check=True)

@server.task
def exits() -> None:
    os._exit(9)

@server.task(retries=1)
def killed() -> None:
    os.kill(os.getpid(), signal.SIGKILL)

@server.task
def segfaults() -> None:
    ctypes.string_at(0)

@server.task
def bad_log_call(*, ctx: Context) -> str:
    ctx.log.info("%d rows", "many")
    logging.getLogger("library").warning("%s %s", 1)
    return "alive"

@server.task
def goes_away() -> None:
    os.chdir("/")

@server.task
def deep() -> list:
    value = []
    for _ in range(198):
        value = [value]
    return value

@server.task(upstream=["deep"])
def below() -> None: ...

@server.task(run_timeout_s=2)
def holds_the_interpreter() -> None:
    re.match("(a+)+b", "a" * 40)

@server.task
def bar() -> None:
    for n in range(20_000):
        sys.stderr.write(f"\r{n} of 20000")

@server.task
def dots() -> None:
    for _ in range(50_000):
        print(".", end="")

@server.task
def daemon() -> int:
    if os.fork() == 0:
        os.setsid()
        os.closerange(0, 3)
        time.sleep(300)
        os._exit(0)
    return 1

@server.task
def ok() -> str:
    return "ok"
"""


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path, "odd.py", SERVER)


def test_body_that_raises_keyboard_interrupt_fails_its_task(folder: Folder) -> None:
    run = folder.do("interrupts")

    assert (run["state"], run["tasks"][0]["error"]["type"]) == ("error", "KeyboardInterrupt")
    assert folder.do("ok")["state"] == "completed"


def test_output_that_is_no_text_is_stored_escaped(folder: Folder) -> None:
    assert folder.do("surrogate")["state"] == "completed"
    assert folder.logs() == ["\\ud800"]


def test_output_of_any_kind_is_in_the_log_and_not_on_stdout(folder: Folder) -> None:
    assert folder.do("shouts")["state"] == "completed"

    log = folder.logs()
    for kind in ("process", "stream", "descriptor", "lines", "buffer", "thread", "child", "fork"):
        assert f"by {kind}" in log or f"by a {kind}" in log, (kind, log)
    assert "plainly" in log
    assert [line for line in log if line.endswith("logged")] != []
    assert "printed while the module is loaded" not in log


def test_log_levels_are_those_of_basic_config(folder: Folder) -> None:
    assert folder.do("configures")["state"] == "completed"

    assert folder.logs() == ["INFO kept by default", "DEBUG kept once", "DEBUG kept of the task"]


def test_output_of_a_subprocess_is_in_its_own_log_only(folder: Folder) -> None:
    first = folder.do("ok")["run_id"]
    assert folder.do("secret")["state"] == "completed"

    assert folder.logs() == ["secret of another task"]
    assert folder.logs(first) == []


@pytest.mark.parametrize(
    ("task", "how", "attempts"),
    [
        ("exits", "exit code 9", 1),
        ("segfaults", "SIGSEGV (a fault", 1),
        ("killed", "SIGKILL (the", 2),
    ],
)
def test_body_that_ends_its_process_fails_its_task_only(
    folder: Folder, task: str, how: str, attempts: int
) -> None:
    run = folder.do(task)

    (view,) = run["tasks"]
    assert (run["state"], view["reason"], view["attempt"]) == ("error", "worker_died", attempts)
    assert view["error"]["type"] == "WorkerDied"
    assert view["error"]["retryable"] is True
    assert how in view["error"]["message"]
    assert folder.do("ok")["state"] == "completed"
    assert folder.bare("cancel", run["run_id"]).returncode == 0


def test_segfault_is_located_in_the_log(folder: Folder) -> None:
    folder.do("segfaults")

    assert any("odd.py" in line and "segfaults" in line for line in folder.logs())


def test_broken_logging_call_is_logged_and_fails_nothing(folder: Folder) -> None:
    run = folder.do("bad-log-call")

    assert (run["state"], run["tasks"][0]["output"]) == ("completed", "alive")
    assert any("many" in line for line in folder.logs())
    assert any("not enough arguments" in line for line in folder.logs())


def test_body_that_changes_directory_affects_no_later_command(folder: Folder) -> None:
    assert folder.do("goes-away")["state"] == "completed"
    assert folder.do("ok")["state"] == "completed"


def test_output_nested_too_deeply_fails_its_task_only(folder: Folder) -> None:
    run = folder.do("below")

    (first, second) = run["tasks"]
    assert (first["reason"], first["error"]["type"]) == ("failed_terminal", "OutputNotJson")
    assert second["state"] == "pending"
    assert folder.do("ok")["state"] == "completed"


def test_body_that_holds_the_interpreter_is_ended_by_its_clock(folder: Folder) -> None:
    run = folder.do("holds-the-interpreter")

    assert (run["tasks"][0]["reason"], run["state"]) == ("run_timeout", "error")


@pytest.mark.parametrize(("task", "lines"), [("bar", 1), ("dots", 1)])
def test_output_without_newlines_is_linear(folder: Folder, task: str, lines: int) -> None:
    assert folder.do(task)["state"] == "completed"
    assert len(folder.logs()) == lines


def test_daemon_that_a_body_left_keeps_no_lock(folder: Folder) -> None:
    assert folder.do("daemon")["state"] == "completed"

    again = folder.dyna("do", "ok", "--json", timeout_s=20)
    assert json.loads(again.stdout)["state"] == "completed"
    assert (folder.home / "driver.lock").read_text() == ""


def test_two_servers_of_one_name_are_refused(tmp_path: Path) -> None:
    source = (
        'from cordyna_core import TaskServer\none, two = TaskServer("same"), TaskServer("same")\n'
    )
    folder = Folder(tmp_path, "twins.py", source + '\none.task(name="x")(lambda: 1)\n')

    result = folder.bare("--server", "twins.py:one", "--server", "twins.py:two", "servers")

    assert result.returncode == 0
    assert "same" in result.stdout
    states = json.loads(
        folder.bare(
            "--server", "twins.py:one", "--server", "twins.py:two", "servers", "--json"
        ).stdout
    )
    assert [state["state"] == "not_loaded" for state in states] == [False, True]
    assert 'server "same" is run by twins.py:' in states[1]["problem"]


def test_interrupted_run_is_ignored_by_engine_of_other_servers(tmp_path: Path) -> None:
    folder = Folder(tmp_path, "odd.py", SERVER)
    (tmp_path / "other.py").write_text(
        "from cordyna_core import TaskServer\n"
        's = TaskServer("other")\n'
        's.task(name="mine")(lambda: 1)\n'
    )
    folder.dyna("do", "ok", "--detach")

    other = folder.bare("--server", "other.py", "do", "mine", "--json")

    assert json.loads(other.stdout)["state"] == "completed"
