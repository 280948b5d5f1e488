"""dyna init: a project whose test and run succeed, and nothing overwritten."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from cli.run_dyna import dyna
from cordyna_cli.input.new_project import FILES


def test_init_writes_a_project_and_names_the_next_command(tmp_path: Path) -> None:
    result = dyna("init", "shop", cwd=tmp_path)

    assert result.status == 0
    assert result.err == "  next: cd shop; dyna do shop.report\n"
    written = {
        path.relative_to(tmp_path / "shop").as_posix()
        for path in (tmp_path / "shop").rglob("*")
        if path.is_file()
    }
    assert written == {file.path for file in FILES}
    assert all(f"shop/{path}" in result.out for path in written)


def test_init_without_a_name_uses_the_folder(tmp_path: Path) -> None:
    folder = tmp_path / "shop"
    (folder / ".venv").mkdir(parents=True)
    (folder / "notes.txt").write_text("mine")

    result = dyna("init", cwd=folder)

    assert (result.status, result.err) == (0, "  next: dyna do shop.report\n")
    assert 'TaskServer("shop"' in (folder / "server.py").read_text()


@pytest.mark.parametrize(
    ("name", "suggested"),
    [
        ("my server", "my-server"),
        ("../up", "up"),
        ("-x", "-x"),
        ("naïve", "na-ve"),
        ("", "my-server"),
        ("x" * 101, "x" * 100),
    ],
)
def test_init_of_a_bad_name_suggests_one(name: str, suggested: str, tmp_path: Path) -> None:
    result = dyna("init", "--", name, cwd=tmp_path)

    assert (result.status, list(tmp_path.iterdir())) == (2, [])
    assert f'error: "{name}" cannot be the name of a task server.' in result.err
    assert f"  next: dyna init {suggested.strip('-')}\n" in result.err


def test_init_in_a_folder_with_a_bad_name_asks_for_one(tmp_path: Path) -> None:
    folder = tmp_path / "my shop"
    folder.mkdir()

    result = dyna("init", cwd=folder)

    assert (result.status, list(folder.iterdir())) == (2, [])
    assert 'error: the folder "my shop" cannot give its name' in result.err
    assert "next: dyna init my-shop\n" in result.err


def test_init_refuses_a_folder_that_is_not_empty(tmp_path: Path) -> None:
    (tmp_path / "shop").mkdir()
    for name in "abcdef":
        (tmp_path / "shop" / name).write_text("mine")

    result = dyna("init", "shop", cwd=tmp_path)

    assert result.status == 1
    assert "is not empty.\n  it has a, b, c, d, e, ...\n" in result.err
    assert len(list((tmp_path / "shop").iterdir())) == 6


def test_init_refuses_to_overwrite_a_file(tmp_path: Path) -> None:
    (tmp_path / "server.py").write_text("mine")

    result = dyna("init", cwd=tmp_path)

    assert (result.status, (tmp_path / "server.py").read_text()) == (1, "mine")
    assert "has files that a new project would overwrite.\n  server.py\n" in result.err


def test_init_refuses_a_name_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "shop").write_text("mine")

    result = dyna("init", "shop", cwd=tmp_path)

    assert (result.status, result.err.splitlines()[0]) == (1, f"error: {tmp_path}/shop is a file.")


def test_init_reports_what_cannot_be_written(tmp_path: Path) -> None:
    """A file where a folder of the project would be."""
    (tmp_path / "tests").write_text("mine")

    result = dyna("init", cwd=tmp_path)

    assert (result.status, "cannot be written." in result.err) == (1, True)


def test_init_makes_a_project_that_is_green(tmp_path: Path) -> None:
    """Its test passes, its server would be accepted, and its report runs."""
    assert dyna("init", "shop", cwd=tmp_path).status == 0
    folder = tmp_path / "shop"
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "NO_COLOR": "1"}
    program = [sys.executable, "-c", "from cordyna_cli.main import main; raise SystemExit(main())"]

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            words, cwd=folder, env=environ, capture_output=True, text=True, check=False, timeout=60
        )

    tested = run(sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider")
    accepted = run(*program, "plan", "--declare", "server.py")
    ran = run(*program, "do", "shop.report", "--json")

    assert (tested.returncode, "1 passed" in tested.stdout) == (0, True), tested.stdout
    assert accepted.returncode == 0, accepted.stderr
    assert json.loads(ran.stdout)["state"] == "completed", ran.stderr
    assert json.loads(ran.stdout)["tasks"][-1]["output"] == "3 orders, 42.50 euros"


def test_dyna_without_a_project_names_init(tmp_path: Path) -> None:
    assert dyna(cwd=tmp_path).err.endswith("\n  next: dyna init my-server\n")


def test_dyna_in_a_project_shows_only_help(tmp_path: Path) -> None:
    dyna("init", cwd=tmp_path)

    assert dyna(cwd=tmp_path).err == ""
