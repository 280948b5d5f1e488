"""Source files: which files make up a task server, and the state that they are in.

Invariant: only names, times and sizes of files are read; nothing is imported. Whatever else lies in
the folder of a server (a folder that may not be entered, a link in a circle) is left out.
"""

import hashlib
import importlib.machinery
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from cordyna_core._version import __version__
from cordyna_core.paths import (
    expand_user,
    files_of,
    folders_of,
    is_file,
    is_folder,
    is_link,
    real_path,
)

EXEC_PREFIX: Final = "exec:"

Stamps = dict[Path, tuple[int, int, int]]


class SourceFiles:
    """The files of one target. Its path is resolved once: the working folder may change."""

    def __init__(self, target: str) -> None:
        self._roots = tuple(_roots_of(target))

    def folders(self) -> set[Path]:
        """Return the folders that hold the files, as they are now, and those that links lead to."""
        linked = {real_path(path).parent for path in self.paths() if is_link(path)}
        own = {folder for root in self._roots for folder in _folders_of(root)}
        return own | {folder for folder in linked if is_folder(folder)}

    def paths(self) -> set[Path]:
        """Return the files, as they are now."""
        return {file for root in self._roots for file in _files_in(root)}

    def stamps(self) -> Stamps:
        """Time of the last change, size and inode of each file: a copy of it differs."""
        stamps: Stamps = {}
        for path in self.paths():
            try:
                stat = path.stat()
            except OSError:  # It was deleted after it was listed, or links to itself.
                continue
            stamps[path] = (stat.st_ctime_ns, stat.st_size, stat.st_ino)
        return stamps


def fingerprint_of(target: str) -> str:
    """Return a hash of the state of a target's files; empty if it has none."""
    stamps = SourceFiles(target).stamps()
    if not stamps:
        return ""
    text = repr([__version__, target, sorted((str(path), stamp) for path, stamp in stamps.items())])
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()


def _roots_of(target: str) -> Iterator[Path]:
    if target.startswith(EXEC_PREFIX):
        yield from _files_of_command(target.removeprefix(EXEC_PREFIX))
        return
    location = target.partition(":")[0]
    if location.endswith(".py") or "/" in location:
        yield real_path(expand_user(location)).parent
        return
    root = _folder_of_module(location)
    if root is not None:
        yield root


def _files_of_command(command: str) -> Iterator[Path]:
    """Yield the arguments that are files.

    The script of an interpreter, and its modules beside it.
    """
    try:
        arguments = shlex.split(command)
    except ValueError:  # Unbalanced quotes: the worker host reports it when it loads the server.
        return
    for argument in arguments[1:]:
        path = expand_user(argument)
        if is_file(path):
            yield real_path(path)


def _folder_of_module(module: str) -> Path | None:
    """Return the folder of a module's outermost package. Nothing is imported for that."""
    path = [str(Path.cwd()), *filter(None, sys.path)]
    spec = importlib.machinery.PathFinder.find_spec(module.partition(".")[0], path)
    if spec is None:
        return None
    if spec.submodule_search_locations:
        return Path(next(iter(spec.submodule_search_locations)))
    return Path(spec.origin).parent if spec.origin else None


def _files_in(root: Path) -> Iterator[Path]:
    """Yield the Python files of a folder and of the packages in it.

    Other folders are left alone.
    """
    if is_file(root):
        yield root
        return
    for folder in _folders_of(root):
        yield from files_of(folder, ".py")


def _folders_of(root: Path) -> Iterator[Path]:
    """Yield a folder with the packages in it, or the folder of a file; those that exist."""
    if is_file(root):
        yield root.parent
    elif is_folder(root):
        yield from _packages_in(root, set())


def _packages_in(folder: Path, seen: set[Path]) -> Iterator[Path]:
    """Yield a folder and the packages in it, each once: a link may lead back to a folder above."""
    place = real_path(folder)
    if place in seen:
        return
    seen.add(place)
    yield folder
    for path in folders_of(folder):
        if is_file(path / "__init__.py"):
            yield from _packages_in(path, seen)
