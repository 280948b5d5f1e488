"""Paused crons: the tasks whose cron does not fire on this machine until it is resumed.

Invariant: what is paused stays paused when the engine or its server starts again.
"""

import json
import os
from pathlib import Path
from typing import Final, Protocol

from cerebro.embedded.storage.home_location import NAME_ANOTHER
from cordyna_core.errors import ServiceError

FILE_NAME: Final = "paused-crons.json"


class PausedCrons(Protocol):
    """The names of tasks."""

    def read(self) -> frozenset[str]: ...
    def write(self, tasks: frozenset[str]) -> None:
        """Replace them. Raises ServiceError if they cannot be kept."""
        ...


class MemoryPausedCrons:
    """Implements PausedCrons for the life of the process."""

    def __init__(self) -> None:
        self._tasks = frozenset[str]()

    def read(self) -> frozenset[str]:
        return self._tasks

    def write(self, tasks: frozenset[str]) -> None:
        self._tasks = tasks


class FilePausedCrons:
    """Implements PausedCrons in a file of the home: another process may write it."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / FILE_NAME

    def read(self) -> frozenset[str]:
        try:
            names = json.loads(self._path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return frozenset()
        except (OSError, ValueError) as damaged:
            raise ServiceError(
                f"{self._path} cannot be read.",
                why=str(damaged),
                next="delete it: every cron fires again then",
            ) from damaged
        return frozenset(map(str, names))

    def write(self, tasks: frozenset[str]) -> None:
        fresh = self._path.with_name(f"{FILE_NAME}.{os.getpid()}")
        try:
            fresh.touch(mode=0o600)
            fresh.write_text(json.dumps(sorted(tasks)), encoding="utf-8")
            fresh.replace(self._path)
        except OSError as refused:
            raise ServiceError(
                f"{self._path} could not be written: {refused.strerror}.",
                next=NAME_ANOTHER,
            ) from refused
