"""Young bytecode: removing bytecode that an edit in the same second would not invalidate.

Invariant: a load sees what the files contain now. Python compares only the second and the size of a
source file with those in its bytecode.
"""

import contextlib
import importlib.util
import os
import sys
import traceback
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from typing import Final

_YOUNG_S: Final = 2.0
"""Bytecode that was written sooner than this after its source is removed."""


def imported_since(before: Collection[str], folder: Path) -> set[str]:
    """Return the names of the user's modules below a folder that were imported since `before`."""
    return {name for name in sys.modules.keys() - before if _is_users(name, folder)}


def remove_young_bytecode(
    modules: Iterable[str], folder: Path, error: BaseException | None = None
) -> None:
    """Remove the young bytecode of imported modules, and of those where an import has failed.

    A module whose import raised is no longer in sys.modules, but its bytecode was written.
    """
    for file in {*_files_of(modules), *_files_in(error, folder)}:
        bytecode = Path(importlib.util.cache_from_source(file))
        with contextlib.suppress(OSError):  # it does not exist, or cannot be removed
            if bytecode.stat().st_mtime - Path(file).stat().st_mtime < _YOUNG_S:
                bytecode.unlink()


def _is_users(name: str, folder: Path) -> bool:
    file = getattr(sys.modules[name], "__file__", None) or ""
    return (
        file.startswith(f"{folder}{os.sep}")
        and "site-packages" not in file
        and not name.startswith("cordyna_core.")
    )


def _files_of(modules: Iterable[str]) -> Iterator[str]:
    for name in modules:
        file = sys.modules[name].__file__
        if file:
            yield file


def _files_in(error: BaseException | None, folder: Path) -> Iterator[str]:
    if error is not None:
        for frame in traceback.extract_tb(error.__traceback__):
            if frame.filename.startswith(f"{folder}{os.sep}"):
                yield frame.filename
