"""Runtime: the adapters of a task server on AWS, built once per process.

Invariant: everything that calls AWS is made here, from the settings.
"""

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Final, Protocol

from cordyna_core.aws.claims import DynamoDBClaims
from cordyna_core.aws.clients import client
from cordyna_core.aws.eventbridge import EventBridgeBus
from cordyna_core.aws.settings import ServerSettings, server_settings
from cordyna_core.aws.task_log import TaskLogCapture
from cordyna_core.aws.work_queue import LONG_POLL_S, WorkQueue
from cordyna_core.contract.commands import CancelTask, RunTask
from cordyna_core.contract.ids import server_source
from cordyna_core.errors import UserError
from cordyna_core.ports import Bus, Claims, Clock

CANCELLED_READ_INTERVAL_S: Final = 5.0
"""The table is read at most this often, however often a body reads `ctx.cancelled`."""


class CancellableClaims(Claims, Protocol):
    """Claims that also store cancellations, for all instances of a server."""

    def cancel(self, run_id: str, task: str, attempt: int) -> None: ...

    def is_cancelled(self, run_id: str, task: str, attempt: int) -> bool: ...


class Cancellations:
    """The attempts that shall stop.

    They are known to this process, and with a claims table to all instances of the server.
    """

    def __init__(self, claims: CancellableClaims | None, clock: Clock) -> None:
        self._claims, self._clock = claims, clock
        self._noted: set[tuple[str, str, int]] = set()

    def note(self, command: CancelTask) -> None:
        """Store a cancellation. Raises what the claims raise."""
        attempt = (command.run_id, command.task, command.attempt)
        self._noted.add(attempt)
        if self._claims is not None:
            self._claims.cancel(*attempt)

    def of(self, command: RunTask) -> Callable[[], bool]:
        """Return a function that reads whether this attempt shall stop."""
        attempt = (command.run_id, command.task, command.attempt)
        # The claim of an attempt that was cancelled before fails, so the first read can wait.
        read_at = self._clock() + CANCELLED_READ_INTERVAL_S

        def is_cancelled() -> bool:
            nonlocal read_at
            if attempt not in self._noted and self._claims is not None and self._clock() >= read_at:
                read_at = self._clock() + CANCELLED_READ_INTERVAL_S
                if self._claims.is_cancelled(*attempt):
                    self._noted.add(attempt)
            return attempt in self._noted

        return is_cancelled


@dataclass(frozen=True, slots=True)
class ServerRuntime:
    """The adapters of one server. `queue` is None without a work queue."""

    bus: Bus
    claims: CancellableClaims | None
    queue: WorkQueue | None
    cancellations: Cancellations
    log: TaskLogCapture
    clock: Clock


@cache
def build_server_runtime(server: str) -> ServerRuntime:
    """Return the runtime of this process's server."""
    return build_runtime(server, server_settings())


@cache
def work_queue() -> WorkQueue:
    """Return the work queue of this process's server. Raises UserError if none is named."""
    queue = _queue(server_settings())
    if queue is None:
        raise UserError(
            "no work queue is named",
            next="set CORDYNA_QUEUE_URL to the URL of the server's work queue",
        )
    return queue


def build_runtime(server: str, settings: ServerSettings) -> ServerRuntime:
    """Build the runtime that `settings` describe."""
    clock = time.time
    bus = EventBridgeBus(client("events"), bus=settings.bus, source=server_source(server))
    claims = (
        DynamoDBClaims(client("dynamodb"), settings.claims_table, clock)
        if settings.claims_table
        else None
    )
    log = TaskLogCapture(sys.stdout, clock)
    log.install()
    return ServerRuntime(bus, claims, _queue(settings), Cancellations(claims, clock), log, clock)


def _queue(settings: ServerSettings) -> WorkQueue | None:
    # The timeout exceeds a long poll, which would look like a service that does not answer.
    return (
        WorkQueue(client("sqs", read_timeout_s=LONG_POLL_S + 10), settings.queue_url)
        if settings.queue_url
        else None
    )
