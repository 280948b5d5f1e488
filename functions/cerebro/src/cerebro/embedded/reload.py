"""Reload: notices that a task server's files have changed.

Law: only time stamps are compared; nothing is loaded here.
"""

import importlib.util
from collections.abc import Iterator, Sequence
from pathlib import Path


class FileWatcher:
    """The files of the servers that were named: each target's file, those beside it, and packages there."""

    def __init__(self, targets: Sequence[str]) -> None:
        self._folders = {
            target: folder for target in targets if (folder := _folder_of(target)) is not None
        }
        self._seen = {target: _stamps(folder) for target, folder in self._folders.items()}

    def changed(self) -> list[str]:
        """The targets whose files are not as they were when this was last asked."""
        found = []
        for target, folder in self._folders.items():
            stamps = _stamps(folder)
            if stamps != self._seen[target]:
                self._seen[target] = stamps
                found.append(target)
        return found


def _folder_of(target: str) -> Path | None:
    place = target.partition(":")[0]
    if place.endswith(".py"):
        return Path(place).resolve().parent
    spec = importlib.util.find_spec(place)
    return Path(spec.origin).parent if spec is not None and spec.origin is not None else None


def _stamps(folder: Path) -> dict[Path, tuple[int, int]]:
    found = {}
    for path in _python_files(folder):
        try:
            stat = path.stat()
        except FileNotFoundError:  # it went away between being listed and being looked at
            continue
        found[path] = (stat.st_mtime_ns, stat.st_size)
    return found


def _python_files(folder: Path) -> Iterator[Path]:
    """Those of the folder and of the packages in it; what merely lies there (an environment, a checkout) is left alone."""
    yield from folder.glob("*.py")
    for package in folder.glob("*/__init__.py"):
        yield from _python_files(package.parent)
