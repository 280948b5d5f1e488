"""Homes, folders and limits in which `dyna` can hardly work: it works, or says what to do."""

import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from world.command_line import DYNA, Folder, until

SERVER = """
from cordyna_core import TaskServer
server = TaskServer("odd")
server.task(name="ok")(lambda: "ok")
"""


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path, "odd.py", SERVER)


def run(
    folder: Folder, *words: str, before: Callable[[], None] | None = None, cwd: Path | None = None
) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, DYNA, "--server", str(folder.path / "odd.py"), *words],
        cwd=cwd or folder.path,
        env=folder.environment,
        preexec_fn=before,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_deleted_working_folder_is_an_error(folder: Folder) -> None:
    gone = folder.path / "gone"
    gone.mkdir()

    result = run(folder, "do", "ok", before=gone.rmdir, cwd=gone)

    assert (result.returncode, "Traceback" in result.stderr) == (1, False)
    assert result.stderr.startswith("error: the working folder does not exist any more.")
    assert "cd to a folder that exists" in result.stderr


@pytest.mark.parametrize("kind", ["file", "below a file", "dangling link"])
def test_home_that_is_no_folder_is_an_error(folder: Folder, kind: str) -> None:
    place = folder.path / "place"
    if kind == "dangling link":
        place.symlink_to(folder.path / "nowhere")
    else:
        place.touch()
    home = place / "home" if kind == "below a file" else place

    result = run(folder, "--home", str(home), "do", "ok")

    assert result.returncode == 5
    assert f"{place} is not a folder" in result.stderr
    assert "CORDYNA_HOME" in result.stderr


def test_home_below_a_folder_of_the_system_says_what_to_name(folder: Folder) -> None:
    result = run(folder, "--home", "/proc/cordyna/home", "runs")

    assert (result.returncode, "Traceback" in result.stderr) == (5, False)
    assert "the home /proc/cordyna/home cannot be created: " in result.stderr
    assert "`dyna --home DIR ...`, or the variable CORDYNA_HOME" in result.stderr


def test_home_that_is_deleted_under_a_driver_ends_it(folder: Folder) -> None:
    service = folder.start("dev", "--no-page")
    until(lambda: "ok" in folder.bare("tasks").stdout)
    shutil.rmtree(folder.home)

    output, _ = service.communicate(timeout=60)

    assert (service.returncode, "Traceback" in output) == (5, False)
    assert f"the home {folder.home} was deleted or replaced" in output


def test_home_on_a_full_disk_is_an_error(folder: Folder) -> None:
    """A limit on the size of files fails as a full disk does."""
    limit = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))  # noqa: E731

    result = run(folder, "do", "ok", before=limit)

    assert (result.returncode, "Traceback" in result.stderr) == (5, False)
    assert "free space" in result.stderr


def test_home_whose_lock_cannot_be_opened_is_an_error(folder: Folder) -> None:
    (folder.home / "bodies.lock").mkdir(parents=True)

    result = run(folder, "do", "ok")

    assert (result.returncode, "Traceback" in result.stderr) == (5, False)
    assert "bodies.lock cannot be opened: Is a directory" in result.stderr
    assert "CORDYNA_HOME" in result.stderr


def test_home_behind_a_link_is_that_home(folder: Folder) -> None:
    assert run(folder, "do", "ok").returncode == 0
    (folder.path / "link").symlink_to(folder.home)

    listed = run(folder, "--home", "link", "runs")

    assert listed.stdout.count("completed") == 1


@pytest.mark.parametrize("name", [b"sp ace;$(x)", b"not utf-8 \xff", "ünï".encode()])
def test_server_in_a_folder_of_any_name_runs(folder: Folder, name: bytes) -> None:
    place = folder.path / os.fsdecode(name)
    place.mkdir()
    (place / "odd.py").write_text(SERVER)

    result = subprocess.run(
        [DYNA, "--server", "odd.py", "do", "ok"],
        cwd=place,
        env=folder.environment,
        capture_output=True,
        check=False,
        timeout=60,
    )

    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize("limit", [resource.RLIMIT_NOFILE, resource.RLIMIT_AS])
def test_low_limits_of_the_process_run_a_task(folder: Folder, limit: int) -> None:
    value = 32 if limit == resource.RLIMIT_NOFILE else 500 * 2**20

    result = run(folder, "do", "ok", before=lambda: resource.setrlimit(limit, (value, value)))

    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize("closed", [(0,), (1,), (0, 1), (0, 1, 2)])
def test_closed_standard_streams_still_run_a_task(folder: Folder, closed: tuple[int, ...]) -> None:
    def close() -> None:
        for descriptor in closed:
            os.close(descriptor)

    assert run(folder, "do", "ok", before=close).returncode == 0
