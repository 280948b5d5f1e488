"""Console: the port between `dyna` and the web page, found by the entry points `cordyna.consoles`.

Invariant: the page and its web server are imported when a console is opened, and by no other
command.
"""

from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import entry_points
from pathlib import Path
from typing import Final, Protocol, cast

from cordyna_cli.engine import Engine
from cordyna_cli.engines import EngineName
from cordyna_core.errors import UserError

ENTRY_POINT_GROUP: Final = "cordyna.consoles"
FILE_NAME: Final = "console.json"
"""In the folder of the engine: where the console that is up listens, readable by its owner only."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsoleOptions:
    """What a console needs beside its engine.

    `where` names the cerebro for people, `place` in the addresses of the page; `command` is how
    `dyna` is called for the same; `by` is who asks. `port` None: the first that is free from 8420
    on.
    """

    engine: EngineName
    where: str
    command: str
    by: str
    folder: Path
    place: str | None = None
    port: int | None = None


class RunningConsole(Protocol):
    """A console that answers."""

    def address(self, path: str = "/") -> str:
        """Return an address that opens the page at `path`, once."""
        ...

    def has_stopped(self) -> bool: ...

    def stop(self) -> None: ...


class ConsoleFactory(Protocol):
    """An entry point of `cordyna.consoles`."""

    def start(self, engine: Engine, options: ConsoleOptions) -> RunningConsole:
        """Serve the page. Raises UserError if a port is taken, ServiceError if it cannot write."""
        ...

    def find(self, folder: Path) -> Callable[[str], str] | None:
        """Return the `address` of the console that is up for a folder, for one opening.

        None if no console is up.
        """
        ...


def installed_console() -> ConsoleFactory:
    """Raises UserError if no console is installed, or a package that it needs is missing."""
    for entry in entry_points(group=ENTRY_POINT_GROUP):
        try:
            return cast(ConsoleFactory, entry.load()())
        except ModuleNotFoundError as missing:
            raise _not_installed(f"it needs the package {missing.name}") from missing
    raise _not_installed("no installed package provides one")


def _not_installed(why: str) -> UserError:
    return UserError("the console is not installed.", why=why, next="pip install 'cordyna-console'")
