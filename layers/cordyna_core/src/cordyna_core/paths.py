"""Paths: questions about files, answered with no where the system gives no answer.

The system refuses names that are too long, links in a circle and folders that may not be entered.
pathlib raises then, also for a user in `~user` who does not exist; these functions do not.
"""

import os
from pathlib import Path


def is_file(path: Path) -> bool:
    """Return whether there is a file that can be asked for."""
    return os.path.isfile(path)  # noqa: PTH113  never raises


def is_folder(path: Path) -> bool:
    """Return whether there is a folder that can be asked for."""
    return os.path.isdir(path)  # noqa: PTH112  never raises


def is_link(path: Path) -> bool:
    """Return whether the path is a symbolic link, of which it does not matter where it leads."""
    return os.path.islink(path)  # noqa: PTH114  never raises


def expand_user(path: str | Path) -> Path:
    """Return the path with its `~` replaced, or as it is where that user has no folder."""
    return Path(os.path.expanduser(path))  # noqa: PTH111  never raises


def real_path(path: Path) -> Path:
    """Return where the path leads, absolute; a link in a circle is kept as it is."""
    return Path(os.path.realpath(path))


def files_of(folder: Path, suffix: str) -> list[Path]:
    """Return what a folder has with this suffix; nothing where it cannot be read."""
    try:
        return [folder / name for name in os.listdir(folder) if name.endswith(suffix)]  # noqa: PTH208
    except OSError:
        return []


def folders_of(folder: Path) -> list[Path]:
    """Return the folders in a folder, also by links; none where it cannot be read."""
    try:
        with os.scandir(folder) as entries:
            return [
                Path(entry.path)
                for entry in entries
                if (is_folder(Path(entry.path)) if entry.is_symlink() else entry.is_dir())
            ]
    except OSError:
        return []
