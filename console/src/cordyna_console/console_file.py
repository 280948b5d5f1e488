"""Console file: where the console of a home listens, for `dyna open`.

Invariant: the file holds the token, so only its owner can read it.
"""

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, Self
from urllib.parse import quote

from cordyna_core.errors import ServiceError

LOOPBACK: Final = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class ConsoleFile:
    """The port and the process of a console, and the secret that lets its owner in."""

    port: int
    pid: int
    token: str

    def is_of_another_process(self) -> bool:
        """Whether the process of this console is another one that is still running."""
        if self.pid == os.getpid():
            return False
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return False
        except PermissionError:
            return True
        return True

    def write(self, path: Path) -> None:
        """Raises ServiceError when the folder cannot be written."""
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            fresh = path.with_name(f"{path.name}.{os.getpid()}")
            descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(descriptor, "w") as file:
                json.dump(asdict(self), file)
            fresh.replace(path)
        except OSError as refused:
            raise ServiceError(
                f"{path} could not be written: {refused.strerror}.",
                next="set CORDYNA_HOME to a folder that you may write to",
            ) from refused

    @classmethod
    def read(cls, path: Path) -> Self | None:
        """What the file says; None when it is missing or cannot be read."""
        try:
            content: dict[str, Any] = json.loads(path.read_text())
            return cls(int(content["port"]), int(content["pid"]), str(content["token"]))
        except (OSError, ValueError, KeyError, TypeError):
            return None


def opening_address(port: int, code: str, path: str = "/") -> str:
    """The address of a code; `path` is where it leads."""
    to = "" if path == "/" else f"&to={quote(path, safe='')}"
    return f"http://{LOOPBACK}:{port}/open?code={code}{to}"
