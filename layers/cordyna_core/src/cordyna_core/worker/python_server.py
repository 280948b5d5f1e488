"""Python server: between a worker process and the TaskServer that user code defines.

`load` is named in a server's spec as `cordyna_core.worker.python_server:load`, so that a test can
load something else.

Invariant: no other module of the worker imports `cordyna_core.server`.
"""

import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final, Protocol

from cordyna_core.attempt import Attempt
from cordyna_core.contract.base import Message
from cordyna_core.contract.commands import RunTask
from cordyna_core.contract.envelope import detail_json
from cordyna_core.contract.limits import MAX_DECLARATION_BYTES
from cordyna_core.contract.time import LATEST
from cordyna_core.errors import UserError
from cordyna_core.server.cancellation import Cancellation
from cordyna_core.server.program import load_program
from cordyna_core.server.result import describe
from cordyna_core.server.task_server import TaskServer
from cordyna_core.worker.protocol import FINAL_STATES

# User code may replace the functions of `time`; libraries that freeze it also replace the names of
# other modules that mean them, but not what is in a tuple.
_CLOCKS: Final = (time.time, time.monotonic)  # noqa: TID251  a body process is a composition

Publish = Callable[[str, str, bool], None]
"""Takes a message's detail-type, its detail as JSON, and whether it is the final state."""


class ImportedServer(Protocol):
    """A server as a worker process needs it."""

    @property
    def concurrency(self) -> int | None:
        """How many attempts it wants at the same time, if it says so."""

    def declaration(self) -> str:
        """Return the detail of its ServerDeclared, as JSON. Raises UserError: it is too large."""

    def run(self, detail: dict[str, Any], publish: Publish, cancelled: Cancellation) -> None:
        """Run one attempt, and publish how it goes.

        Publishes one final state, or nothing if the body was not started.
        """


def load(target: str) -> ImportedServer:
    """Import the TaskServer that `target` names. Raises UserError and what the import raises."""
    # The first validation builds the model: once before the fork, not once in every body; and
    # before a module beside the server, such as `email.py`, can replace what pydantic imports then.
    RunTask.model_rebuild()
    return _TaskServerAdapter(load_program(target))


class _TaskServerAdapter:
    def __init__(self, server: TaskServer) -> None:
        self._server = server

    @property
    def concurrency(self) -> int | None:
        return getattr(self._server, "concurrency", None)

    def declaration(self) -> str:
        text = detail_json(self._server.declaration)
        size = len(text.encode())
        if size > MAX_DECLARATION_BYTES:
            raise UserError(
                f"the declaration of {self._server.name} has {size:,} bytes",
                why=f"{MAX_DECLARATION_BYTES:,} are allowed",
                next="shorten its descriptions and schemas, or split it into two servers",
            )
        return text

    def run(self, detail: dict[str, Any], publish: Publish, cancelled: Cancellation) -> None:
        clock = partial(_engine_time, detail.get("clock_offset_s", _wall_clock_offset_s()))
        # The host has checked that the command is not stale, by a clock that does not jump.
        command = RunTask.model_validate({**detail, "start_by": LATEST})
        bus = _Bus(publish)
        try:
            self._server.run(
                command, bus=bus, clock=clock, queued=True, started=True, cancelled=cancelled
            )
        except BaseException as error:  # noqa: BLE001  also a KeyboardInterrupt of the body's own
            attempt = Attempt(command, bus, clock, cancelled)
            attempt.report("error", reason="failed", error=describe(error))


def _wall_clock_offset_s() -> float:
    """Return what is used for the engine's clock if an older engine does not name it."""
    wall_clock, monotonic = _CLOCKS
    return wall_clock() - monotonic()


def _engine_time(offset_s: float) -> float:
    """UTC seconds as the engine counts them: its clock and this process's share their pace."""
    return offset_s + _CLOCKS[1]()


class _Bus:
    """The library's bus in a worker process."""

    def __init__(self, publish: Publish) -> None:
        self._publish = publish

    def publish(self, messages: Sequence[Message]) -> None:
        for message in messages:
            is_final = getattr(message, "state", None) in FINAL_STATES
            self._publish(type(message).__name__, detail_json(message), is_final)
