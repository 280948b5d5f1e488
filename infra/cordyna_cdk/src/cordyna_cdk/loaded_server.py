"""The team's server as its code declares it, loaded at synth.

Invariant: what can never work on AWS is refused before anything is deployed: a Lambda stops every
body after its timeout, of at most 15 minutes, and on Lambda Managed Instances 90, so a task that
declares a longer run clock cannot run there.
"""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from aws_cdk import Duration

from cordyna_core import TaskServer
from cordyna_core.errors import UserError
from cordyna_core.server.loading import load_server

LAMBDA_MAX_S: Final = 900
MANAGED_INSTANCES_MAX_S: Final = 5400
"""Of asynchronous invocations (AWS Lambda, Managed Instances)."""


@dataclass(frozen=True, slots=True)
class LoadedServer:
    """A server and the folder of its code."""

    folder: Path
    target: str
    server: TaskServer

    @property
    def name(self) -> str:
        """The name that the server declares."""
        return self.server.name


def read_server(code: str | Path, target: str) -> LoadedServer:
    """Load the server `target` (`package.module:name`) from the folder `code`. Raises UserError."""
    folder = Path(code).resolve()
    if not folder.is_dir():
        raise UserError(
            f"the folder {code} does not exist",
            next="pass the folder that holds the server's module as `code`",
        )
    sys.path.insert(0, str(folder))
    try:
        return LoadedServer(folder, target, load_server(target))
    finally:
        sys.path.remove(str(folder))


def body_timeout_s(timeout: Duration | None, *, managed_instances: bool) -> int:
    """After how many seconds a Lambda stops a body. Raises ValueError for a timeout above AWS's."""
    max_s = MANAGED_INSTANCES_MAX_S if managed_instances else LAMBDA_MAX_S
    timeout_s = max_s if timeout is None else int(timeout.to_seconds())
    if timeout_s > max_s:
        raise ValueError(
            f"timeout={timeout_s} s: a Lambda runs for at most {max_s} s. "
            "Use a container: TaskServer(..., container=Container())"
        )
    return timeout_s


def check_lambda_timeouts(loaded: LoadedServer, max_s: int) -> None:
    """Raises UserError for a task that declares a run clock above `max_s`.

    The default may be longer.
    """
    long = {
        name: clock
        for name, task in loaded.server.tasks.items()
        if "run_timeout_s" in task.declaration.model_fields_set
        and (clock := task.declaration.run_timeout_s) > max_s
    }
    if long:
        listed = "\n".join(f"{name} declares run_timeout_s={clock}" for name, clock in long.items())
        raise UserError(
            f'a Lambda cannot run every task of server "{loaded.name}": '
            f"it stops a body after {max_s} s.",
            why=listed,
            next=f"declare at most {max_s} s, raise the `timeout` of the construct to at most "
            f"{LAMBDA_MAX_S} s, or use a container: TaskServer(..., container=Container())",
        )
