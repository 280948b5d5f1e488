"""Spec: how one task server is started, as its configuration says.

Invariant: a spec passes to another process unchanged: `spec_from_json` undoes `to_json`.
"""

import json
import os
import shlex
from typing import Any, Final, NamedTuple

from cordyna_core.environment import WORKER_HOST_VARIABLE

EXEC_PREFIX: Final = "exec:"
DEFAULT_CONCURRENCY: Final = 8
ISOLATIONS: Final = ("auto", "fork", "spawn")


class ServerSpec(NamedTuple):
    """One server: `path/to/file.py[:name]`, `package.module[:name]` or `exec:COMMAND`.

    `concurrency`: attempts at the same time; None: what the server itself says, else 8.
    `python`: the interpreter, which must have cordyna_core installed; None: the engine's own.
    `isolation`: `fork` or `spawn` bodies of a Python server; `auto`: fork where it is safe.
    `log_format`: of what a body logs: `text`, or `json` for one object a record (level, logger,
    message).
    `load`: the function that loads a Python server, as `module:function` (see python_server.py).
    """

    target: str
    concurrency: int | None = None
    python: str | None = None
    cwd: str | None = None
    env: tuple[tuple[str, str], ...] = ()
    isolation: str = "auto"
    log_format: str = "text"
    load: str = "cordyna_core.worker.python_server:load"

    @property
    def is_exec(self) -> bool:
        return self.target.startswith(EXEC_PREFIX)

    def command_line(self) -> list[str]:
        """Return the arguments of an `exec:` server.

        Raises ValueError: no command, or bad quoting.
        """
        arguments = shlex.split(self.target.removeprefix(EXEC_PREFIX))
        if not arguments:
            raise ValueError(f"{self.target!r} names no command")
        return arguments

    def environment(self, token: str) -> dict[str, str]:
        """Return the environment of the server's processes."""
        return {**os.environ, **dict(self.env), WORKER_HOST_VARIABLE: token}

    def to_json(self) -> str:
        """Return the spec as one line."""
        return json.dumps(self._asdict())


def spec_from_json(text: str) -> ServerSpec:
    """Return the spec that `to_json` wrote."""
    return spec_from_dict(json.loads(text))


def spec_from_dict(fields: dict[str, Any]) -> ServerSpec:
    """Return the spec whose fields were decoded from JSON."""
    return ServerSpec(**{**fields, "env": tuple((name, value) for name, value in fields["env"])})


def name_taken(server: str | None, target: str) -> str:
    """Return why another target than `target`, which has this server, is refused."""
    return (
        f'server "{server}" is run by {target} already\n'
        "  next: give one of them another name: TaskServer(...)"
    )
