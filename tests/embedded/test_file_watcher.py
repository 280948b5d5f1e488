"""Files of servers are watched: packages, replaced files, links, and where it is not possible."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from watchfiles import watch

from cerebro.embedded import file_watcher
from cerebro.embedded.file_watcher import FileWatcher

WAIT_S = 30.0


@pytest.fixture
def server(tmp_path: Path) -> Path:
    """A server's file, with a package in a package beside it."""
    package = tmp_path / "deep" / "deeper"
    package.mkdir(parents=True)
    for folder in (package, package.parent):
        (folder / "__init__.py").touch()
    (tmp_path / "gone.py").symlink_to(tmp_path / "nowhere.py")
    file = tmp_path / "s.py"
    file.write_text("X = 1")
    return file


@pytest.fixture
def watcher(server: Path) -> Iterator[FileWatcher]:
    with FileWatcher([str(server)]) as watching:
        assert watching.changed() == []
        yield watching


def test_change_in_a_nested_package_is_seen_once(server: Path, watcher: FileWatcher) -> None:
    (server.parent / "deep" / "deeper" / "module.py").write_text("X = 1")

    assert watcher.changed(WAIT_S) == [str(server)]


def test_file_replaced_by_one_of_the_same_size_is_seen(server: Path, watcher: FileWatcher) -> None:
    """As editors save, and with the time stamp of the old one."""
    before = server.stat()
    new = server.with_suffix(".new")
    new.write_text("X = 2")
    os.utime(new, ns=(before.st_atime_ns, before.st_mtime_ns))

    new.replace(server)

    assert watcher.changed(WAIT_S) == [str(server)]


def test_package_that_appears_is_watched_from_then_on(server: Path, watcher: FileWatcher) -> None:
    package = server.parent / "new"
    package.mkdir()
    (package / "__init__.py").touch()
    assert watcher.changed(WAIT_S) == [str(server)]

    (package / "module.py").write_text("X = 1")

    assert watcher.changed(WAIT_S) == [str(server)]


def test_deleted_file_is_seen(server: Path, watcher: FileWatcher) -> None:
    (server.parent / "deep" / "__init__.py").unlink()

    assert watcher.changed(WAIT_S) == [str(server)]


def test_other_files_are_not_reported(server: Path, watcher: FileWatcher) -> None:
    data, folder = server.parent / "data.csv", server.parent / "folder"
    data.write_text("1,2")
    folder.mkdir()
    (folder / "other.py").write_text("X = 1")

    watcher._note({data, folder, folder / "other.py"})

    assert watcher.changed() == []


def test_file_behind_a_link_is_watched(tmp_path: Path, server: Path) -> None:
    shared = tmp_path.with_name(tmp_path.name + "-shared")
    shared.mkdir()
    (shared / "common.py").write_text("X = 1")
    (server.parent / "common.py").symlink_to(shared / "common.py")
    with FileWatcher([str(server)]) as watching:
        (shared / "common.py").write_text("X = 1000")

        assert watching.changed(WAIT_S) == [str(server)]


def test_script_of_a_command_is_watched(tmp_path: Path) -> None:
    script = tmp_path / "server.sh"
    script.write_text("exit 0")
    with FileWatcher([f"exec:sh {script}", "exec:true"]) as watching:
        script.write_text("exit 11")

        assert watching.changed(WAIT_S) == [f"exec:sh {script}"]


def test_folder_that_appears_later_is_watched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(file_watcher, "RESCAN_S", 0.01)
    target = tmp_path / "later" / "s.py"
    with FileWatcher([str(target)]) as watching:
        target.parent.mkdir()
        target.write_text("X = 1")

        assert watching.changed(WAIT_S) == [str(target)]


def test_files_that_cannot_be_watched_are_compared(
    server: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The system allows each user only so many watches."""

    def limited(*folders: Path, force_polling: bool | None, **options: Any) -> Any:
        if not force_polling:
            raise OSError(28, "No space left on device")
        return watch(*folders, force_polling=True, poll_delay_ms=20, **options)

    monkeypatch.setattr(file_watcher, "watch", limited)
    monkeypatch.setattr(file_watcher, "RESCAN_S", 0.01)
    with FileWatcher([str(server)]) as watching:
        server.write_text("X = 1000")

        assert watching.changed(WAIT_S) == [str(server)]
    assert "files are compared, not watched" in caplog.text
