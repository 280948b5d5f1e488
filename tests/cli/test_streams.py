"""stdout holds the results of `dyna` only; and what happens where it cannot be written."""

import json
import os
import pty
import subprocess
import sys
import termios
from collections.abc import Mapping
from pathlib import Path

import pytest

from cli.run_builders import RUN
from cordyna_cli.output.screen import Screen
from cordyna_cli.output.streams import _ResultFile

DYNA = """
import os, subprocess, sys, threading
from dataclasses import replace
from cli.sample_messages import PASSED
from cli.fake_engine import FakeEngine
from cli.run_builders import a_run, a_task, completed_run
from cordyna_cli.process import process_environment
from cordyna_cli.main import main


def print_last():
    threading.main_thread().join()
    print("a body that outlives dyna")


class Noisy(FakeEngine):
    # Writes as server modules, tasks, their threads and their processes do.
    def __enter__(self):
        print("a module")
        os.write(1, b"a descriptor\\n")
        sys.stdout.buffer.write(b"a buffer\\n")
        (sys.__stdout__ or sys.stdout).write("the first stdout\\n")
        subprocess.run(["echo", "a process"], check=True)
        threading.Thread(target=print_last).start()
        return super().__enter__()


view = completed_run()
if "ünï" in sys.argv:
    sys.argv.remove("ünï")
    task = a_task("task-3", "", "dispatched@0 completed@1", output="ünï 😀 \\ud800")
    view = a_run(task, state="completed")
engine = (Noisy if "noisy" in sys.argv else FakeEngine)(views=[view], passed=PASSED * 500)
argv = tuple(word for word in sys.argv[1:] if word != "noisy")
sys.exit(main(replace(process_environment(), argv=argv, engines={"embedded": engine.open})))
"""


def sh(
    command: str, tmp_path: Path, environ: Mapping[str, str] | None = None
) -> "subprocess.CompletedProcess[str]":
    """A command line of a shell, in which $dyna is the one above."""
    (tmp_path / "dyna.py").write_text(DYNA, encoding="utf-8")
    around = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": os.pathsep.join(sys.path),
        "PYTHONUTF8": "0",
        "LANG": "C.UTF-8",
        "dyna": f"{sys.executable} {tmp_path / 'dyna.py'}",
        **(environ or {}),
    }
    return subprocess.run(
        ["bash", "-c", command],
        capture_output=True,
        text=True,
        check=False,
        env=around,
        cwd=tmp_path,
        encoding="utf-8",
    )


@pytest.mark.parametrize("pipe", ["", "| cat", "> out; cat out"])
@pytest.mark.parametrize("words", ["do task-3 --json", "show --json"])
def test_other_writers_to_stdout_end_up_on_stderr(words: str, pipe: str, tmp_path: Path) -> None:
    ended = sh(f"$dyna noisy {words} {pipe}", tmp_path)

    assert ended.returncode == 0
    assert ended.stdout.count("\n") == 1
    assert json.loads(ended.stdout)["run_id"] == RUN
    for who in (
        "a module",
        "a descriptor",
        "a buffer",
        "the first stdout",
        "a process",
        "a body that outlives dyna",
    ):
        assert f"{who}\n" in ended.stderr


@pytest.mark.parametrize(
    "words", ["do task-3 --json", "show", "--help", "--version", "runs --nonsense --json"]
)
def test_full_disk_exits_with_5(words: str, tmp_path: Path) -> None:
    ended = sh(f"$dyna {words} > /dev/full", tmp_path)

    if "--nonsense" in words:
        assert (ended.returncode, ended.stderr.splitlines()[0]) == (
            2,
            "error: No such option: --nonsense",
        )
        return
    assert ended.returncode == 5
    assert ended.stderr.endswith(
        "error: the result cannot be written to stdout.\n"
        "  No space left on device\n"
        "  next: make room, or write it elsewhere; `dyna show` prints the outcome of the last run\n"
    )


def test_full_disk_behind_coloured_stdout_exits_with_5(tmp_path: Path) -> None:
    ended = sh("$dyna show > /dev/full", tmp_path, {"FORCE_COLOR": "1"})

    assert (ended.returncode, "No space left on device" in ended.stderr) == (5, True)


def test_unwritable_progress_does_not_end_the_run(tmp_path: Path) -> None:
    ended = sh("$dyna do task-3 --json 2> /dev/full", tmp_path)

    assert (ended.returncode, json.loads(ended.stdout)["state"]) == (0, "completed")


@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&-", ">&- 2>&- <&-"])
def test_closed_stream_is_not_written_and_keeps_the_status(closed: str, tmp_path: Path) -> None:
    ended = sh(f"$dyna noisy do task-3 --json {closed}", tmp_path)

    assert ended.returncode == 0
    assert ended.stdout.count("\n") == (0 if closed.startswith(">") else 1)
    assert "error" not in ended.stderr


@pytest.mark.parametrize("environ", [{}, {"FORCE_COLOR": "1"}])
def test_reader_that_leaves_gets_no_error(environ: dict[str, str], tmp_path: Path) -> None:
    ended = sh('$dyna events --all | head -1; echo "${PIPESTATUS[0]}"', tmp_path, environ)

    assert (len(ended.stdout.splitlines()), ended.stdout.splitlines()[1], ended.stderr) == (
        2,
        "1",
        "",
    )


@pytest.mark.parametrize(
    "environ", [{"PYTHONIOENCODING": "ascii"}, {"PYTHONIOENCODING": "latin-1"}, {"LANG": "C"}, {}]
)
@pytest.mark.parametrize("words", ["do task-3 --json", "show --json"])
def test_json_is_whole_in_any_encoding_of_stdout(
    words: str, environ: dict[str, str], tmp_path: Path
) -> None:
    ended = sh(f"$dyna ünï {words}", tmp_path, environ)

    assert ended.returncode == 0
    assert json.loads(ended.stdout)["tasks"][0]["output"] == "ünï 😀 \ud800"


def test_error_json_is_whole_in_ascii(tmp_path: Path) -> None:
    ended = sh("$dyna show ölwechsel --json", tmp_path, {"PYTHONIOENCODING": "ascii"})

    assert (ended.returncode, json.loads(ended.stdout)["error"]["what"]) == (
        3,
        'there is no run "ölwechsel".',
    )


def test_envelopes_on_stdin_are_utf_8_in_any_locale(tmp_path: Path) -> None:
    ended = sh(r"printf 'ü\n\xff\n' | $dyna send -", tmp_path, {"PYTHONIOENCODING": "ascii"})

    assert (ended.returncode, ended.stdout) == (0, "2 events put on the bus\n")


def test_screen_has_the_size_of_its_own_terminal() -> None:
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(ours, (33, 77))

    with open(theirs, "w", encoding="utf-8") as stream:  # noqa: PTH123  a descriptor
        screen = Screen(stream, {"TERM": "xterm"})

        assert (screen.width, screen.console.height) == (77, 33)
        screen.console.size = (50, 20)
        assert (screen.width, screen.console.height) == (50, 20)
    os.close(ours)


def test_what_follows_a_failed_result_is_dropped() -> None:
    """Python flushes its streams once more when it ends: that is no second error."""
    with _ResultFile("/dev/full", "w") as result:
        with pytest.raises(OSError, match="No space left"):
            result.write(b"a result")
        assert result.write(b"the rest") == len(b"the rest")
