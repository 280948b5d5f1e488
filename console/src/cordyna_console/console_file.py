"""Console file: where the consoles of a home listen, for `dyna open`.

Invariant: the file holds the token, so only its owner can read it. A console that starts or stops
changes only its own entry, and removes those of processes that have ended without doing so.
"""

import fcntl
import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final, Self
from urllib.parse import quote

from cordyna_core.errors import ServiceError

LOOPBACK: Final = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class ConsoleFile:
    """The port and the process of a console, and the secret that lets its owner in.

    `others`: the consoles that were up when this one started, the latest first.
    """

    port: int
    pid: int
    token: str
    others: tuple["ConsoleFile", ...] = ()

    @property
    def consoles(self) -> tuple["ConsoleFile", ...]:
        """All that the file names, each without others, the latest first."""
        return (replace(self, others=()), *self.others)

    def is_running(self) -> bool:
        """Return whether a process has the number of this console's process."""
        try:
            os.kill(self.pid, 0)
        except (ProcessLookupError, OverflowError):
            return False
        except PermissionError:
            return True
        return True

    def is_of_another_process(self) -> bool:
        """Return whether the process of this console is another one that is still running."""
        return self.pid != os.getpid() and self.is_running()

    def add_to(self, path: Path) -> None:
        """Put this console first, before those that are up.

        Raises ServiceError when the folder cannot be written.
        """
        with _locked(path):
            _replace(path, [self, *self._others_in(path)])

    def remove_from(self, path: Path) -> None:
        """Remove this console. The last one stays: its token is used by the next console.

        Raises ServiceError when the folder cannot be written.
        """
        if not self._is_named_in(path):
            return  # a deleted home is not made again
        with _locked(path):
            _replace(path, self._others_in(path) or [self])

    def write(self, path: Path) -> None:
        """Raises ServiceError when the folder cannot be written."""
        with _locked(path):
            _replace(path, self.consoles)

    @classmethod
    def read(cls, path: Path) -> Self | None:
        """Return what the file says; None when it is missing or cannot be read."""
        try:
            content: dict[str, Any] = json.loads(path.read_text())
            others = tuple(map(cls._parsed, content.get("others", ())))
            return replace(cls._parsed(content), others=others)
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return None

    @classmethod
    def _parsed(cls, entry: dict[str, Any]) -> Self:
        return cls(int(entry["port"]), int(entry["pid"]), str(entry["token"]))

    def _is_named_in(self, path: Path) -> bool:
        file = ConsoleFile.read(path)
        return file is not None and self in file.consoles

    def _others_in(self, path: Path) -> list["ConsoleFile"]:
        file = ConsoleFile.read(path)
        return [entry for entry in file.consoles if entry.is_of_another_process()] if file else []


def _replace(path: Path, consoles: Sequence[ConsoleFile]) -> None:
    """Write a file that names them; a reader sees the file before or after it, never a part."""
    fresh = path.with_name(f"{path.name}.{os.getpid()}")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        json.dump(asdict(replace(consoles[0], others=tuple(consoles[1:]))), file)
    fresh.replace(path)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold the lock of the folder of `path`. An error of the system in the block: ServiceError."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            fcntl.flock(folder, fcntl.LOCK_EX)
            yield
        finally:
            os.close(folder)
    except OSError as refused:
        raise ServiceError(
            f"{path} could not be written: {refused.strerror}.",
            next="set CORDYNA_HOME to a folder that you may write to",
        ) from refused


def opening_address(port: int, code: str, path: str = "/") -> str:
    """Return the address of a code; `path` is where it leads."""
    to = "" if path == "/" else f"&to={quote(path, safe='')}"
    return f"http://{LOOPBACK}:{port}/open?code={code}{to}"
