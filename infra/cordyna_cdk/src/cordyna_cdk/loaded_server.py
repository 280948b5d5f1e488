"""Served: the team's server as its code declares it, read at synth.

Law: what can never work on AWS is refused here, before anything is deployed: a Lambda stops every body after 15 minutes, so a task that
declares a longer run clock cannot be run by one.
"""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cordyna_core import TaskServer
from cordyna_core.errors import UserError
from cordyna_core.server.loading import load_server

LAMBDA_LIMIT_S: Final = 900


@dataclass(frozen=True, slots=True)
class LoadedServer:
    """Where a server's code is, and what it declares."""

    folder: Path
    target: str
    server: TaskServer

    @property
    def name(self) -> str:
        """The server's name, as it declares itself."""
        return self.server.name


def read_server(code: str | Path, target: str) -> LoadedServer:
    """The server that `target` (`package.module:name`) means in the folder `code`. Raises UserError."""
    folder = Path(code).resolve()
    if not folder.is_dir():
        raise UserError(
            f"there is no folder {code}", next="give the folder that holds the server's module"
        )
    sys.path.insert(0, str(folder))
    try:
        return LoadedServer(folder, target, load_server(target))
    finally:
        sys.path.remove(str(folder))


def check_lambda_timeouts(served: LoadedServer) -> None:
    """Raises UserError for a task that declares a run clock of more than 15 minutes; the 30-minute default is only a wait."""
    long = {
        name: clock
        for name, task in served.server.tasks.items()
        if "run_timeout_s" in task.declaration.model_fields_set
        and (clock := task.declaration.run_timeout_s) > LAMBDA_LIMIT_S
    }
    if long:
        listed = "\n".join(f"{name} declares run_timeout_s={clock}" for name, clock in long.items())
        raise UserError(
            f'a Lambda cannot run every task of server "{served.name}": it stops a body after {LAMBDA_LIMIT_S} s.',
            why=listed,
            next=f"declare at most {LAMBDA_LIMIT_S} s, or make it a container: TaskServer(..., container=Container())",
        )
