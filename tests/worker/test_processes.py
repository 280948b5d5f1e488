"""What is asked of the kernel about processes."""

import os
import signal
import subprocess
import sys
import time

import pytest

from cordyna_core.worker import processes


def _ended_child(code: str) -> int:
    """The number of a child that has ended and is not waited for."""
    child = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    assert child.stdout is not None
    with child.stdout:
        child.stdout.read()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    child.returncode = 0  # the test waits for it
    return child.pid


@pytest.mark.parametrize(
    ("code", "expected"),
    [("raise SystemExit(3)", 3), ("import os; os.kill(os.getpid(), 9)", -9)],
)
@pytest.mark.parametrize("has_waitid", [True, False])
def test_exit_code_of_an_ended_child(
    code: str, expected: int, *, has_waitid: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    pid = _ended_child(code)
    if not has_waitid:
        monkeypatch.delattr(os, "waitid")

    assert processes.exit_code_of(pid) == expected
    if has_waitid:
        os.waitpid(pid, 0)
    with pytest.raises(ChildProcessError):
        processes.exit_code_of(pid)


@pytest.mark.parametrize("has_waitid", [True, False])
def test_running_child_has_no_exit_code(
    *, has_waitid: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    with subprocess.Popen(["sleep", "600"]) as child:
        if not has_waitid:
            monkeypatch.delattr(os, "waitid")
        found = processes.exit_code_of(child.pid)
        child.kill()

    assert found is None


def test_exit_is_described_in_words() -> None:
    assert processes.describe_exit(3) == "exit code 3"
    assert processes.describe_exit(-signal.SIGSEGV) == "SIGSEGV"
    assert processes.describe_exit(-40) == "signal 40"


def test_descendants_are_found_by_tree_and_by_mark() -> None:
    code = (
        "import subprocess, time; subprocess.Popen(['sleep', '600']);"
        "print(1, flush=True); time.sleep(600)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, env={**os.environ, "MARK": "mine"}
    ) as child:
        assert child.stdout is not None
        child.stdout.readline()
        family = [child.pid, *processes.descendants_of([child.pid])]
        marked = processes.with_environment("MARK=mine")
        processes.kill_all(family)

    assert len(family) == 2
    assert sorted(marked) == sorted(family)


def test_group_without_members_is_not_signalled() -> None:
    with subprocess.Popen(["true"], process_group=0) as child:
        child.wait()

    assert not processes.signal_group(child.pid, signal.SIGTERM)
    assert not processes.is_group_alive(child.pid)


def test_killing_a_process_that_has_ended_does_nothing() -> None:
    with subprocess.Popen(["true"]) as child:
        child.wait()

    processes.kill_all([child.pid])


def test_leader_that_left_its_group_is_signalled() -> None:
    code = "import os; os.setpgid(0, os.getppid()); print(os.getpgrp(), flush=True); input()"
    parent = (
        "import os, subprocess, sys; os.setpgid(0, 0);"
        f"subprocess.run([sys.executable, '-c', {code!r}], process_group=0)"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", parent], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    with process:
        assert process.stdout is not None
        assert int(process.stdout.readline()) == process.pid
        (leader,) = processes.children_of(process.pid)

        assert processes.signal_group(leader, signal.SIGTERM)
        assert process.wait() == 0
    assert not processes.signal_group(leader, signal.SIGTERM)


def test_progress_is_that_of_a_live_process_only() -> None:
    progress = processes.progress_of(os.getpid())
    pid = _ended_child("")
    os.waitpid(pid, 0)

    assert progress is not None
    assert progress.state in "RSD"
    assert 0 < progress.cpu_s <= time.process_time() + 1
    assert processes.progress_of(pid) is None
