"""Home location: where the home of a working folder is.

Invariant: a folder of another user is never taken for a home unless it is named explicitly.
"""

import os
import tomllib
from pathlib import Path
from typing import Final

HOME_NAME: Final = ".cordyna"


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


def _is_own_directory(path: Path) -> bool:
    try:
        return path.is_dir() and path.stat().st_uid == os.getuid()
    except OSError:
        return False  # It cannot be read, so it is not ours.


def _is_project(file: Path) -> bool:
    try:
        return "cordyna" in tomllib.loads(file.read_text(encoding="utf-8")).get("tool", {})
    except (OSError, ValueError):
        return False  # The command line reports a broken file when it reads its settings.
