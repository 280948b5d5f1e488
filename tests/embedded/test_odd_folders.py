"""What else lies in a server's folder, and what a command has beside files, harms no server."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cerebro.embedded.source_files import SourceFiles, fingerprint_of
from cordyna_core.errors import NotFound
from cordyna_core.server.server_target import parse_target

LONG_NAME = "x" * 5000


@pytest.fixture
def server(tmp_path: Path) -> Path:
    file = tmp_path / "shop.py"
    file.write_text("X = 1")
    return file


def refuse_folder(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """Let the system refuse this folder: the tests may run as root, who may enter any."""

    def refusing(function: Callable[..., Any]) -> Callable[..., Any]:
        def call(path: Any, *args: Any, **options: Any) -> Any:
            if not isinstance(path, int) and folder in (Path(path), *Path(path).parents):
                raise PermissionError(13, "Permission denied", path)
            return function(path, *args, **options)

        return call

    for name in ("listdir", "scandir", "stat"):
        monkeypatch.setattr(os, name, refusing(getattr(os, name)))


def test_link_to_itself_is_no_source_file(server: Path) -> None:
    (server.parent / "loop").symlink_to("loop")
    before = fingerprint_of(str(server))
    (server.parent / "loop.py").symlink_to("loop.py")

    assert fingerprint_of(str(server)) == before != ""
    assert SourceFiles(str(server)).folders() == {server.parent}


def test_packages_that_link_to_each_other_are_read_once(server: Path) -> None:
    package = server.parent / "package"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "itself").symlink_to(".")
    (package / "again").symlink_to(package)

    assert SourceFiles(str(server)).paths() == {server, package / "__init__.py"}


def test_folder_that_may_not_be_entered_is_left_out(
    server: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In /tmp, for example, other users have folders of their own."""
    folder = server.parent / "private"
    folder.mkdir()
    (folder / "__init__.py").touch()
    refuse_folder(monkeypatch, folder)

    assert SourceFiles(str(server)).paths() == {server}


def test_folder_of_a_server_that_may_not_be_read_has_no_files(
    server: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = SourceFiles(str(server))
    refuse_folder(monkeypatch, server.parent)

    assert files.paths() == set()


def test_folder_that_is_deleted_while_it_is_read_has_no_files(
    server: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = SourceFiles(str(server))
    server.unlink()
    server.parent.rmdir()
    monkeypatch.setattr("cerebro.embedded.source_files.is_folder", lambda path: True)

    assert files.paths() == set()


@pytest.mark.parametrize("argument", [LONG_NAME, "~no-such-user-at-all/server.py"])
def test_argument_of_a_command_that_is_no_path_is_no_file(argument: str) -> None:
    assert fingerprint_of(f"exec:python3 -c {argument}") == ""


@pytest.mark.parametrize("name", [f"{LONG_NAME}.py", "~no-such-user-at-all/server.py"])
def test_file_that_cannot_be_asked_for_is_not_there(name: str) -> None:
    assert fingerprint_of(name) == ""
    with pytest.raises(NotFound, match="there is no file"):
        parse_target(name).file()
