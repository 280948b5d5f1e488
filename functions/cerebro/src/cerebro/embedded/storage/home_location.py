"""Home location: where the home of a working folder is.

Invariant: a folder of another user is never taken for a home unless it is named explicitly.
"""

import errno
import getpass
import os
import tomllib
from pathlib import Path
from typing import Final

from cordyna_core.errors import ServiceError

HOME_NAME: Final = ".cordyna"
DRIVER_LOCK: Final = "driver.lock"
BODIES_LOCK: Final = "bodies.lock"

NAME_ANOTHER: Final = (
    "name a folder that you may write to: `dyna --home DIR ...`, or the variable CORDYNA_HOME"
)

_WHY_NOT: Final = {
    errno.EROFS: "its file system is read-only",
    errno.ENOSPC: "its disk is full",
    errno.EDQUOT: "the quota of this user is used up",
}


def find_home(folder: Path) -> Path:
    """Find the home upwards from `folder`, as git finds its directory.

    The first folder counts that has a home, or a pyproject.toml with the table [tool.cordyna]; its
    home is beside that file and may not exist yet. Without one, the home is in `folder` itself.
    """
    for candidate in (folder, *folder.parents):
        home = candidate / HOME_NAME
        if _is_own_directory(home) or _is_project(candidate / "pyproject.toml"):
            return home
    return folder / HOME_NAME


def create_home_folder(folder: Path) -> None:
    """Create the folder of a home, readable by its owner only. Raises ServiceError."""
    try:
        if not folder.is_dir():
            folder.parent.mkdir(parents=True, exist_ok=True)
            folder.mkdir(mode=0o700, exist_ok=True)
        ignore = folder / ".gitignore"
        if not ignore.exists():
            ignore.touch(mode=0o600)
            ignore.write_text("*\n")
    except FileExistsError as cause:
        raise ServiceError(
            f"{cause.filename} is not a folder, so no home can be made there.",
            next=f"move it away, or {NAME_ANOTHER}",
        ) from cause
    except OSError as cause:
        verb = "used" if _exists(folder) else "created"
        raise ServiceError(
            f"the home {folder} cannot be {verb}: {cause.strerror}.",
            why=_why_not(cause),
            next=NAME_ANOTHER,
        ) from cause


def _exists(folder: Path) -> bool:
    try:
        return folder.exists()
    except OSError:  # A folder on the way may not be entered.
        return True


def _why_not(cause: OSError) -> str:
    if isinstance(cause, PermissionError):
        return f"this process runs as {_user_name()}, who may not write there"
    return _WHY_NOT.get(cause.errno or 0, "")


def _user_name() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # A container may run as a user without a name.
        return f"user {os.getuid()}"


def _is_own_directory(path: Path) -> bool:
    try:
        return path.is_dir() and path.stat().st_uid == os.getuid()
    except OSError:
        return False  # It cannot be read, so it is not ours.


def _is_project(file: Path) -> bool:
    try:
        tool = tomllib.loads(file.read_text(encoding="utf-8")).get("tool")
        return isinstance(tool, dict) and "cordyna" in tool
    except (OSError, ValueError):
        return False  # The command line reports a broken file when it reads its settings.
